"""Where clients go and what they take along: addresses, TLS, tokens, and what gRPC is told of retries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matinee import Client
from matinee.connection import Connection, Retry, Tls, service_config
from matinee.errors import UnauthenticatedError, UnavailableError, UsageError
from matinee.hedging import Hedging
from matinee.targets import addresses_of, is_on_this_machine, target_of
from matinee.v1 import recommender_pb2 as pb
from server.trust.config import Trust
from server.trust.tokens import fresh_token
from tests.fuzz.worlds import WORLDS
from tests.matinee.certificates import Certificates
from tests.matinee.fake import CLIENTS, Answer, serving
from tests.server.running import publish, running

PATIENT_S = 30.0
ANSWERS: dict[str, Answer] = {"Recommend": lambda *_: pb.RecommendResponse(model_version="v")}

Make = Callable[..., Any]


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the client of one kind."""
    kind: Make = CLIENTS[request.param]
    return lambda address, **options: kind(address, timeout_s=PATIENT_S, **options)


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        (["host:1"], "host:1"),
        ("dns:///recommender.internal:50051", "dns:///recommender.internal:50051"),
        ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (" 10.0.0.1:1 , 10.0.0.2:2 ", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["[::1]:1", "[fe80::1]:2"], "ipv6:[::1]:1,[fe80::1]:2"),
        (["unix:/run/a", "unix:/run/b"], "unix:/run/a,/run/b"),
    ],
)
def test_addresses_together_are_one_target(address: Any, target: str) -> None:
    assert target_of(addresses_of(address)) == target


@pytest.mark.parametrize("address", ["a:1,b:2", "10.0.0.1:1,[::1]:1", ["unix:/a", "10.0.0.1:1"]])
def test_addresses_that_grpc_has_no_word_for_are_refused_with_what_to_do(address: Any) -> None:
    with pytest.raises(UsageError, match=r"IP addresses of one family; give a name .* dns:///NAME:PORT"):
        Client(address)


@pytest.mark.parametrize("address", ["", " ", "10.0.0.1:1,", []])
def test_no_address_is_refused(address: Any) -> None:
    with pytest.raises(UsageError, match="no server in"):
        Client(address)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/run/a", True),
        ("10.0.0.1:1", False),
        ("0.0.0.0:1", False),
        ("localhost.evil.com:1", False),
        ("dns:///localhost:1", False),
        ("recommender", False),
    ],
)
def test_what_is_on_this_machine_is_known_by_its_address(address: str, here: bool) -> None:
    assert is_on_this_machine(address) is here


def test_grpc_is_told_of_retries_in_its_own_words() -> None:
    assert service_config(Retry(max_attempts=4, initial_backoff_ms=50)) == {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": pb.DESCRIPTOR.services_by_name["Recommender"].full_name}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.050000s",
                    "maxBackoff": "0.500000s",
                    "backoffMultiplier": 2.0,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
    for other in (Retry(max_attempts=1), Hedging(delay_ms=5)):
        assert set(json.loads(json.dumps(service_config(other)))) == {"loadBalancingConfig"}


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        (Retry, {"max_attempts": 0}),
        (Retry, {"max_attempts": 6}),
        (Retry, {"initial_backoff_ms": 1}),
        (Retry, {"initial_backoff_ms": 600}),
        (Retry, {"backoff_multiplier": 0.5}),
        (Hedging, {"delay_ms": -1}),
        (Hedging, {"delay_ms": 1, "max_attempts": 1}),
    ],
)
def test_a_policy_that_grpc_would_not_follow_is_refused(policy: Callable[..., object], options: Any) -> None:
    with pytest.raises(UsageError):
        policy(**options)


# Tokens.


def test_a_token_goes_with_every_call_to_this_machine(make: Make) -> None:
    tokens = iter(["first", "second"])
    with serving(ANSWERS) as fake:
        with make(fake.address, token="secret") as client:  # noqa: S106  a test's
            client.recommend(1)
        with make(fake.address, token=lambda: next(tokens)) as client:
            client.recommend(1)
            client.recommend(1)
        with make(fake.address) as client:
            client.recommend(1)
    sent = [asked.metadata.get("authorization") for asked in fake.asked]
    assert sent == ["Bearer secret", "Bearer first", "Bearer second", None]


@pytest.mark.parametrize("address", ["10.0.0.1:1", "127.0.0.1:1,10.0.0.1:1", "dns:///recommender:1"])
def test_a_token_does_not_leave_this_machine_in_plain_text(make: Make, address: str) -> None:
    with pytest.raises(UsageError, match="can be read on the way there; give tls") as caught:
        make(address, token="very-secret")  # noqa: S106  a test's
    assert "very-secret" not in str(caught.value)


def test_a_token_that_no_header_can_carry_is_not_told(make: Make) -> None:
    with make("127.0.0.1:1", token="very-secret\n") as client:  # noqa: S106  a test's
        with pytest.raises(UsageError, match="the token must be printable ASCII") as caught:
            client.recommend(1)
        assert "very-secret" not in str(caught.value)


def test_a_token_is_not_shown_with_the_connection() -> None:
    assert "very-secret" not in repr(Connection(token="very-secret"))  # noqa: S106  a test's


# TLS.


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_a_server_that_proves_who_it_is_gets_the_token(make: Make, certificates: Certificates) -> None:
    with (
        serving(ANSWERS, certificates.credentials()) as fake,
        make(fake.address, tls=Tls(certificates.ca), token="t") as client,  # noqa: S106  a test's
    ):
        assert client.recommend(1).model_version == "v"
    assert fake.asked[0].metadata["authorization"] == "Bearer t"


def test_a_server_that_does_not_prove_who_it_is_gets_nothing(
    make: Make, certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other")
    named = Tls(certificates.ca, server_name="recommender.internal")
    with serving(ANSWERS, certificates.credentials()) as fake:
        for tls in (Tls(other.ca), Tls(), named, None):
            with make(fake.address, tls=tls, token="t") as client, pytest.raises(UnavailableError):  # noqa: S106  a test's
                client.recommend(1)
        assert fake.n_asked == 0


def test_a_server_may_ask_who_the_client_is(make: Make, certificates: Certificates) -> None:
    with serving(ANSWERS, certificates.credentials(mutual=True)) as fake:
        with make(fake.address, tls=Tls(certificates.ca)) as client, pytest.raises(UnavailableError):
            client.recommend(1)
        with make(fake.address, tls=Tls(certificates.ca, certificates.cert, certificates.key)) as client:
            assert client.recommend(1).model_version == "v"


def test_several_servers_have_certificates_of_one_name(make: Make, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path, "recommender.internal")
    credentials = certificates.credentials()
    with serving(ANSWERS, credentials) as one, serving(ANSWERS, credentials) as other:
        both = [one.address, other.address]
        with pytest.raises(UsageError, match="server_name"):
            make(both, tls=Tls(certificates.ca))
        with make(both, tls=Tls(certificates.ca, server_name="recommender.internal")) as client:
            assert client.recommend(1).model_version == "v"


def test_the_server_wants_one_of_its_tokens_and_lets_the_health_be_asked(make: Make, tmp_path: Path) -> None:
    certificates, (token, hashed) = Certificates(tmp_path / "certificates"), fresh_token()
    (tmp_path / "tokens").write_text(hashed)
    publish(tmp_path / "store", WORLDS["rating"])
    with running(tmp_path / "store", trust=Trust(certificates.server, tmp_path / "tokens")) as server:
        address, tls = str(server.address), Tls(certificates.ca)
        with make(address, tls=tls, token=token) as client:
            assert client.recommend(1).items
            assert next(client.batch_recommend([1])).items
        for wrong in (None, "another"):
            with make(address, tls=tls, token=wrong) as client:
                client.wait_until_ready()
                with pytest.raises(UnauthenticatedError) as caught:
                    client.recommend(1)
                assert caught.value.status == "UNAUTHENTICATED"
                with pytest.raises(UnauthenticatedError):
                    next(client.batch_recommend([1]))


def test_half_a_client_certificate_is_refused(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match="go together"):
        Client(tls=Tls(certificates.ca, cert=certificates.cert))
