"""Who may call, and with which certificates, over real sockets."""

import hashlib
import logging
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from matinee.errors import UsageError
from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc
from server.address import parse_address
from server.commands.trust import TrustFlags
from server.errors import TrustError
from server.service import Server
from server.trust import files
from server.trust.config import OPEN, Trust
from server.trust.tls import TlsFiles
from server.trust.tokens import Tokens, fresh_token
from tests.server.hammer import wait_until
from tests.server.running import channel_to, publish, running
from tests.world import random_embeddings

TIMEOUT_S = 30
ASKED = pb.RecommendRequest(user_id="1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    return store


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LOOK_S", 0.01)


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def code_of(channel: grpc.Channel, token: str | None = None, scheme: str = "Bearer") -> grpc.StatusCode:
    metadata = () if token is None else (("authorization", f"{scheme} {token}"),)
    call = pb_grpc.RecommenderStub(channel).Recommend.future(ASKED, metadata=metadata, timeout=TIMEOUT_S)
    return call.code()


OK, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED


def test_a_call_needs_one_of_the_tokens_and_the_health_needs_none(
    store: Path, tmp_path: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# two of them\n{sha256('one')}\n\n{sha256('two')}  # the second\n")
    with running(store, trust=Trust(token_file=tokens)) as server, channel_to(server) as channel:
        assert [code_of(channel, token) for token in ("one", "two")] == [OK, OK]
        assert code_of(channel, "one", scheme="bearer") is OK
        wrong = [None, "", "three", "onetwo", sha256("one"), "é"[:0]]
        assert [code_of(channel, token) for token in wrong] == [UNAUTHENTICATED] * len(wrong)
        assert code_of(channel, "one", scheme="Basic") is UNAUTHENTICATED
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S).status == 1
        stream = pb_grpc.RecommenderStub(channel).BatchRecommend(pb.BatchRecommendRequest(), timeout=TIMEOUT_S)
        assert stream.code() is UNAUTHENTICATED
        nothing: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/matinee.v1.Recommender/Nothing")
        assert nothing.future(b"", timeout=TIMEOUT_S).code() is UNAUTHENTICATED
    assert "three" not in caplog.text
    assert sha256("one") not in caplog.text


def test_tokens_change_without_a_restart_and_a_bad_file_changes_nothing(
    store: Path, tmp_path: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(sha256("old"))
    with running(store, trust=Trust(token_file=tokens)) as server, channel_to(server) as channel:
        tokens.write_text("my-secret-token\n")
        wait_until(lambda: code_of(channel, "old") is OK and "line 1 is no sha256" in caplog.text)
        assert "my-secret-token" not in caplog.text
        tokens.write_text(sha256("new"))
        wait_until(lambda: code_of(channel, "new") is OK)
        assert code_of(channel, "old") is UNAUTHENTICATED


@pytest.mark.parametrize("text", ["", "# nothing\n", "mine\n", "ab" * 31, "zz" * 32, "ÿþ"])
def test_a_file_without_hashes_does_not_start_and_is_not_told(tmp_path: Path, text: str) -> None:
    # The last one is no UTF-8.
    (tmp_path / "tokens").write_bytes(text.encode("latin-1"))
    with pytest.raises(TrustError) as caught:
        Tokens(tmp_path / "tokens")
    assert str(tmp_path) in str(caught.value)
    assert not text or text.strip() not in str(caught.value)


def test_a_fresh_token_is_known_by_its_hash(tmp_path: Path) -> None:
    token, hashed = fresh_token()
    (tmp_path / "tokens").write_text(hashed)
    assert Tokens(tmp_path / "tokens").allow([("authorization", f"Bearer {token}")])
    assert token != fresh_token()[0]


class Authority:
    """An authority, and the files of a server's certificate from it."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.files = TlsFiles(folder / "cert.pem", folder / "key.pem")
        self.issue(self.ca)

    def issue(self, ca: trustme.CA) -> None:
        issued = ca.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(self.files.key)
        self.files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


def encrypted(store: Path, files: TlsFiles) -> AbstractContextManager[Server]:
    """A running server with TLS, which one transport has."""
    return running(store, transport="grpcio", trust=Trust(files))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def is_trusted(server: Server, ca: trustme.CA, client: trustme.LeafCert | None = None) -> bool:
    """Whether a new connection that trusts `ca` is answered."""
    key = client.private_key_pem.bytes() if client else None
    chain = b"".join(blob.bytes() for blob in client.cert_chain_pems) if client else None
    credentials = grpc.ssl_channel_credentials(ca.cert_pem.bytes(), key, chain)
    # A channel of its own: gRPC shares connections between equal ones.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(str(server.address), credentials, options) as channel:
        return code_of(channel) is OK


def test_a_certificate_that_changes_is_used_from_the_next_connection_on(store: Path, authority: Authority) -> None:
    with encrypted(store, authority.files) as server:
        assert is_trusted(server, authority.ca)
        other = trustme.CA()
        assert not is_trusted(server, other)
        authority.issue(other)
        wait_until(lambda: is_trusted(server, other))
        assert not is_trusted(server, authority.ca)


@pytest.mark.parametrize("damage", ["the key of another", "no PEM", "gone"])
def test_a_bad_new_certificate_is_refused_and_the_old_one_goes_on(
    store: Path, authority: Authority, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with encrypted(store, authority.files) as server:
        if damage == "the key of another":
            trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(authority.files.key)
        elif damage == "no PEM":
            authority.files.certificate.write_text("nothing")
        else:
            authority.files.certificate.unlink()
        wait_until(lambda: is_trusted(server, authority.ca) and "goes on being used" in caplog.text)
        caplog.set_level(logging.INFO)
        authority.issue(authority.ca)
        wait_until(lambda: is_trusted(server, authority.ca) and "read anew" in caplog.text)
    assert "PRIVATE KEY" not in caplog.text


def test_only_clients_with_a_certificate_from_the_authority_are_let_in(store: Path, authority: Authority) -> None:
    clients = trustme.CA()
    ca_file = authority.files.certificate.with_name("clients.pem")
    clients.cert_pem.write_to_path(ca_file)
    mutual = TlsFiles(authority.files.certificate, authority.files.key, ca_file)
    with encrypted(store, mutual) as server:
        assert is_trusted(server, authority.ca, clients.issue_cert("a-client"))
        assert not is_trusted(server, authority.ca, trustme.CA().issue_cert("a-client"))
        assert not is_trusted(server, authority.ca)


def test_plain_text_is_not_answered_where_there_is_tls(store: Path, authority: Authority) -> None:
    with encrypted(store, authority.files) as server, channel_to(server) as channel:
        assert code_of(channel) is grpc.StatusCode.UNAVAILABLE


def test_files_that_can_not_be_used_end_the_start_with_one_sentence(store: Path, authority: Authority) -> None:
    authority.files.certificate.write_text("nothing")
    with (
        pytest.raises(TrustError, match=r"cert\.pem and .*key\.pem: no certificate with its key"),
        encrypted(store, authority.files),
    ):
        pass


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for trust in (Trust(token_file=tmp_path / "none"), Trust(TlsFiles(tmp_path / "none", tmp_path / "none"))):
        with pytest.raises(TrustError) as caught:
            (trust.credentials(), trust.tokens())
        assert str(caught.value) == f"{tmp_path}/none: No such file or directory"


@pytest.mark.parametrize("flag", ["tls_cert", "tls_key", "tls_client_ca"])
def test_flags_that_do_not_fit_together_are_wrong_usage(flag: str) -> None:
    with pytest.raises(UsageError, match="go together"):
        TrustFlags.model_validate({flag: "file"}).trust()


def test_an_open_server_that_others_can_reach_is_told(tmp_path: Path) -> None:
    for address in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:socket"):
        assert OPEN.warning(parse_address(address)) is None
    told = OPEN.warning(parse_address("0.0.0.0:1"))
    assert told is not None
    assert "--tls-cert" in told
    assert "--token-file" in told
    closed = Trust(TlsFiles(tmp_path, tmp_path), tmp_path)
    assert closed.warning(parse_address("0.0.0.0:1")) is None
