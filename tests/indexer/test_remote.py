"""A store behind a URL does what one in a folder does: on a real S3 server, and on a folder through fsspec."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from indexer.__main__ import main
from indexer.errors import (
    BundleError,
    CurrentError,
    RemoteError,
    StoreError,
    UnknownVersionError,
)
from indexer.places import cache_of, is_url
from indexer.remote.backend import Patience
from indexer.remote.store import RemoteStore
from indexer.store import Store
from tests.indexer.bucket import CREDENTIALS, make_bucket, moto
from tests.indexer.small import quickly_published, resealed, written_embeddings
from tests.test_imports import modules_after
from training.artefact import MANIFEST, _canonical, _content_hash

IMPATIENT = Patience(timeout_s=20.0, attempts=2, first_delay_s=0.01)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with moto() as port:
        yield port


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a store can be."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    if request.param == "file":
        return f"file://{tmp_path}/remote"
    port = request.getfixturevalue("port")
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid.uuid4().hex}"
    make_bucket(port, bucket)
    return f"s3://{bucket}/films"


@pytest.fixture
def store(url: str, tmp_path: Path) -> RemoteStore:
    return RemoteStore.at(url, tmp_path / "cache", patience=IMPATIENT)


# What happens to a version once it is copied is the same whatever it was copied from.
on_a_folder = pytest.mark.parametrize("url", ["file"], indirect=True)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_published_is_current_and_opens(store: RemoteStore) -> None:
    assert (store.current(), store.versions()) == (None, [])
    first, second = quickly_published(store), quickly_published(store, 1)
    assert store.versions() == [first, second]
    assert store.current() == second
    assert store.open_current().version == second
    assert store.open(first).version == first
    assert store.manifest(first)["content_sha256"].startswith(first.partition("-")[2])


@on_a_folder
def test_a_remote_store_is_laid_out_as_a_folder_is(store: RemoteStore, tmp_path: Path) -> None:
    version = quickly_published(store)
    same = Store(tmp_path / "local")
    quickly_published(same)
    (local,) = same.versions()
    there = {name.partition(version)[2] for name in store.objects.sizes("versions")}
    assert there == {f"/{path.name}" for path in same.path(local).iterdir()}
    assert store.objects.read("CURRENT", 100) == f"{version}\n".encode()


def test_a_version_may_be_published_without_being_served(store: RemoteStore) -> None:
    first, second = quickly_published(store), quickly_published(store, 1, activate=False)
    assert (store.versions(), store.current()) == ([first, second], first)
    store.activate(second)
    assert store.open_current().version == second
    assert store.rollback() == (second, first)
    assert store.open_current().version == first
    with pytest.raises(StoreError, match="no version is older"):
        store.rollback()


def test_prune_keeps_the_newest_and_what_is_current(store: RemoteStore) -> None:
    first, second, third = (quickly_published(store, seed) for seed in range(3))
    store.activate(first)
    assert store.prune(1) == ([second], [])
    assert store.versions() == [first, third]
    assert not [name for name in store.objects.sizes("versions") if second in name]
    store.verify(first)


def test_a_version_without_a_manifest_is_not_there_and_goes_when_it_is_old(
    store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = quickly_published(store)
    half = "20261123T214500Z-3f2a9c1b"
    store.objects.write(f"versions/{half}/user_ids.npy", b"half")
    assert store.versions() == [first]
    for refused in (store.open, store.verify, store.activate, store.manifest):
        with pytest.raises(UnknownVersionError):
            refused(half)
    store.prune(3)
    assert [name for name in store.objects.sizes("versions") if half in name]
    monkeypatch.setattr("indexer.remote.store._ABANDONED_S", -60.0)
    store.prune(3)
    assert not [name for name in store.objects.sizes("versions") if half in name]
    assert (store.versions(), store.current()) == ([first], first)


@on_a_folder
def test_what_fails_to_be_built_leaves_nothing(store: RemoteStore) -> None:
    first = quickly_published(store)
    before = store.objects.sizes("versions")
    with pytest.raises(BundleError):
        store.publish(lambda draft: (draft / "user_ids.npy").write_bytes(b"half"))
    assert (store.objects.sizes("versions"), store.current()) == (before, first)
    assert list((store.folder / "drafts").iterdir()) == []
    quickly_published(store, 1)


@on_a_folder
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1])], ids=["cut", "flipped"]
)
def test_a_damaged_object_is_found_and_never_made_current(store: RemoteStore, damage: Callable[[bytes], bytes]) -> None:
    first, second = quickly_published(store), quickly_published(store, 1)
    name = f"versions/{first}/item_vectors.npy"
    store.objects.write(name, damage(store.objects.read(name, 1 << 20) or b""))
    for refused in (store.verify, store.activate, store.open):
        with pytest.raises(BundleError, match=r"item_vectors\.npy"):
            refused(first)
    with pytest.raises(BundleError):
        store.rollback()
    assert store.current() == second
    assert first not in store.cache.versions()


@on_a_folder
def test_a_damaged_copy_is_fetched_again(store: RemoteStore) -> None:
    version = quickly_published(store)
    store.open_current()
    copy = store.cache.path(version) / "item_vectors.npy"
    copy.write_bytes(b"\0" * copy.stat().st_size)
    assert store.open_current().version == version
    store.cache.verify(version)


@on_a_folder
def test_a_damaged_pointer_in_the_cache_is_put_right(store: RemoteStore) -> None:
    version = quickly_published(store)
    store.open_current()
    (store.cache.folder / "CURRENT").write_text("nonsense")
    store.open_current()
    assert store.cache.current() == version


@on_a_folder
def test_old_copies_go(store: RemoteStore) -> None:
    versions = []
    for seed in range(4):
        versions.append(quickly_published(store, seed))
        store.open_current()
    assert store.cache.versions() == versions[-2:]


@on_a_folder
@pytest.mark.parametrize("text", [b"../../etc\n", b"20261123T214500Z-3f2a9c1b/..\n", b"\xff" * 20, b"x" * 5000])
def test_a_pointer_that_names_no_version_is_one_sentence(store: RemoteStore, text: bytes) -> None:
    first = quickly_published(store)
    store.objects.write("CURRENT", text)
    with pytest.raises((CurrentError, RemoteError)):
        store.open_current()
    store.activate(first)
    assert store.current() == first


HOSTILE_FILES = [
    ("../evil.npy", 4),
    ("../../../evil.npy", 4),
    ("/tmp/evil.npy", 4),  # noqa: S108  it must not be written
    ("a/b.npy", 4),
    (".hidden", 4),
    ("manifest.json", 4),
    ("nul\0.npy", 4),
    ("\ud800.npy", 4),
    ("x" * 300, 4),
    ("huge.npy", 1 << 60),
    ("huge.npy", 10**400),
    ("negative.npy", -1),
    ("large.npy", 1 << 45),
]


@on_a_folder
@pytest.mark.parametrize(("name", "n_bytes"), HOSTILE_FILES, ids=range(len(HOSTILE_FILES)))
def test_a_lying_manifest_changes_nothing_outside_the_cache(
    store: RemoteStore, tmp_path: Path, name: str, n_bytes: int
) -> None:
    version = quickly_published(store)
    raw = json.loads(store.objects.read(f"versions/{version}/{MANIFEST}", 1 << 20) or b"")
    raw["files"][name] = {"bytes": n_bytes, "sha256": "0" * 64}
    forged, manifest = sealed(raw)
    hostile = f"{version.partition('-')[0]}-{forged}"
    for file in store.objects.sizes(f"versions/{version}"):
        data = store.objects.read(file, 1 << 20) or b""
        store.objects.write(file.replace(version, hostile), data if not file.endswith(MANIFEST) else manifest)
    if n_bytes == 1 << 45:
        # As large as the manifest says, by the remote's word.
        store = replace(store, objects=Boasting.of(store, f"versions/{hostile}/{name}", n_bytes))
    before = {path: data for path, data in tree(tmp_path).items() if not path.startswith("remote/lock")}
    for refused in (store.open, store.verify, store.bring, store.activate):
        with pytest.raises((BundleError, StoreError)) as error:
            refused(hostile)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 1000
    after = {path: data for path, data in tree(tmp_path).items() if not path.startswith("remote/lock")}
    assert {path: data for path, data in after.items() if path != "cache/copies/lock"} == before
    assert not Path("/tmp/evil.npy").exists()  # noqa: S108  nor was it


def sealed(manifest: dict[str, Any]) -> tuple[str, bytes]:
    """The start of the content hash, and the bytes, of a manifest whose checksum fits, as a forger would make them."""
    manifest["content_sha256"] = _content_hash(manifest)
    return manifest["content_sha256"][:8], _canonical(manifest)


class Boasting:
    """The objects of a store that says one more is there, of any size."""

    @staticmethod
    def of(store: RemoteStore, name: str, n_bytes: int) -> Any:
        objects = store.objects
        honest = objects.sizes
        objects.sizes = lambda prefix: {**honest(prefix), name: n_bytes}  # type: ignore[method-assign]
        return objects


@on_a_folder
def test_a_bundle_of_another_version_is_refused(store: RemoteStore) -> None:
    first, second = quickly_published(store), quickly_published(store, 1)
    for name in store.objects.sizes(f"versions/{second}"):
        store.objects.write(name.replace(second, first), store.objects.read(name, 1 << 20) or b"")
    with pytest.raises(BundleError, match="another version"):
        store.open(first)


@on_a_folder
def test_a_bundle_that_checks_out_and_does_not_fit_together_is_refused(store: RemoteStore, tmp_path: Path) -> None:
    first = quickly_published(store)
    local = Store(tmp_path / "local")
    folder = local.path(quickly_published(local))
    resealed(folder, lambda _, description: description.update(n_items=13))
    version = f"20991123T214500Z-{json.loads((folder / MANIFEST).read_text())['content_sha256'][:8]}"
    for path in folder.iterdir():
        store.objects.write(f"versions/{version}/{path.name}", path.read_bytes())
    for refused in (store.open, store.verify, store.activate):
        with pytest.raises(BundleError, match="13"):
            refused(version)
    assert store.current() == first
    assert version not in store.cache.versions()


class Told:
    """What a command printed, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.status = main(list(map(str, arguments)))
        self.output, self.complaint = capsys.readouterr()

    @property
    def document(self) -> Any:
        assert self.status == 0, self.complaint
        return json.loads(self.output)


def test_every_command_takes_a_url(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_embeddings(tmp_path / "embeddings")
    told = Told(capsys, "index", tmp_path / "embeddings", url)
    assert f"published and current; next: matinee serve {url}" in told.output
    first = Told(capsys, "store", "list", url, "--json").document["current"]
    second = Told(capsys, "index", tmp_path / "embeddings", url, "--json").document["version"]
    assert Told(capsys, "store", "show", url, "--json").document["version"] == second
    assert Told(capsys, "store", "verify", url, "--json").document["whole"] == [first, second]
    assert Told(capsys, "store", "rollback", url, "--json").document["current"] == first
    assert Told(capsys, "store", "activate", url, second, "--json").document["current"] == second
    assert Told(capsys, "store", "prune", url, "--keep", 1, "--json").document["removed"] == [first]
    listed = Told(capsys, "store", "list", url, "--json").document
    assert [entry["version"] for entry in listed["versions"]] == [second]
    assert (tmp_path / "user-cache" / "matinee").is_dir()


def test_an_empty_place_is_one_sentence(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("list", "show", "prune"):
        told = Told(capsys, "store", verb, url)
        assert (told.status, told.complaint.count("\n")) == (1, 1)
        assert f"{url}: nothing is published there yet" in told.complaint


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "names no place"),
        ("s3://bucket/../other", "'..'"),
        ("s3://bucket//films", "empty part"),
        ("ftp://host/films", "opens with none of s3://, gs://, file://"),
        ("gs://bucket/films", "pip install 'matinee[gs]'"),
    ],
)
def test_a_url_that_cant_be_opened_is_one_sentence(url: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(capsys, "store", "list", url)
    assert told.status == 1
    assert words in told.complaint
    assert told.complaint.count("\n") == 1


def test_a_missing_extra_is_said_with_what_repairs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    told = Told(capsys, "store", "list", "s3://bucket/films")
    assert told.status == 1
    assert told.complaint == (
        "matinee: s3://bucket/films: needs s3fs, which is not installed; pip install 'matinee[s3]'\n"
    )


def test_a_plain_folder_needs_no_fsspec(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    quickly_published(store)
    loaded = modules_after(
        "import contextlib, io, indexer.__main__, server.__main__\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    indexer.__main__.main(['store', 'verify', {str(store.folder)!r}])"
    )
    assert "indexer.store" in loaded
    assert not loaded & {"fsspec", "s3fs", "aiobotocore", "botocore", "aiohttp"}


def test_each_url_has_a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ["s3://bucket/films", "s3://bucket-films", "gs://bucket/films", "s3://bucket/" + "x" * 900]
    assert len({cache_of(url, tmp_path) for url in urls}) == 4
    assert {cache_of(url, tmp_path).parent for url in urls} == {tmp_path}
    assert cache_of("s3://bucket/films/", tmp_path) == cache_of("s3://bucket/films", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_of(urls[0]).parent == tmp_path / "user" / "matinee"
    assert [is_url(url) for url in (*urls, "store", "./s3:/x", "/a//b")] == [True] * 4 + [False] * 3
