"""The commands that change a store, on stores that they can do something to."""

from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from indexer.__main__ import main
from indexer.store import Store
from tests.indexer.small import published, written_embeddings

STORE = "STORE"
"""Stands for the folder of the store in the arguments of a command."""


@dataclass(frozen=True)
class Rival:
    """Another process that publishes."""

    arguments: list[str]
    serves: str
    """The embeddings_sha256 of what it publishes."""


@dataclass(frozen=True)
class Scenario:
    """A command on a store that is a copy of `before` each time."""

    name: str
    arguments: list[str]
    before: Path
    """It need not exist."""
    serves: str
    """The embeddings_sha256 of what is current when the command has succeeded."""
    rival: Rival | None = None
    """Who may publish meanwhile."""
    is_shortest: bool = False
    """Whether none makes fewer calls."""
    removes: bool = False
    """Whether it removes versions."""
    is_read: bool = False
    """Whether a process has the oldest version open meanwhile."""


@dataclass(frozen=True)
class State:
    """What a store holds, by embeddings_sha256, every checksum verified."""

    current: str | None
    versions: Counter[str]

    @classmethod
    def of(cls, store: Store) -> "State":
        """Raises IndexerError where anything in it can't be opened."""
        current = str(store.open_current().manifest["embeddings_sha256"]) if store.current() else None
        contents = [str(store.open(version).manifest["embeddings_sha256"]) for version in store.versions()]
        return cls(current, Counter(contents))


def scenarios(folder: Path) -> list[Scenario]:
    """Each of them; their stores are made in `folder`."""
    hashes = [written_embeddings(folder / f"embeddings{seed}", seed).content_sha256 for seed in range(4)]
    empty, one, three = (Store(folder / name) for name in ("empty", "one", "three"))
    _publish_all(one, folder, 1)
    _leave_behind(one)
    _publish_all(three, folder, 3)
    index = ["index", str(folder / "embeddings2"), STORE, "--json"]
    rival = Rival(["index", str(folder / "embeddings3"), STORE, "--json"], hashes[3])
    oldest = three.versions()[0]
    prune = ["store", "prune", STORE, "--keep", "1"]
    return [
        Scenario("index, first", index, empty.folder, hashes[2], rival),
        Scenario("index, second", index, one.folder, hashes[2], rival),
        Scenario("index --no-activate", [*index, "--no-activate"], one.folder, hashes[0]),
        Scenario("activate", ["store", "activate", STORE, oldest], three.folder, hashes[0], is_shortest=True),
        Scenario("rollback", ["store", "rollback", STORE], three.folder, hashes[1]),
        Scenario("prune", prune, three.folder, hashes[2], removes=True),
        Scenario("prune beside a reader", prune, three.folder, hashes[2], removes=True, is_read=True),
    ]


def _publish_all(store: Store, folder: Path, n_versions: int) -> None:
    for seed in range(n_versions):
        with redirect_stdout(StringIO()):
            assert main(["index", str(folder / f"embeddings{seed}"), str(store.folder), "--json"]) == 0


def _leave_behind(store: Store) -> None:
    """What killed processes could have left."""
    version = published(store, seed=9, activate=False)
    store.path(version).rename(store.folder / "versions" / f".{version}.removed")
    draft = store.folder / "versions" / ".bundle.abc.draft"
    draft.mkdir()
    (draft / "user_ids.npy").write_bytes(b"\x93NUM")
    (store.folder / ".CURRENT.draft").write_text("2026")
