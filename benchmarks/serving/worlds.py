"""What is served: two versions of one model, trained and indexed by the real commands, made once and kept under build/.

`20m` has the shape of MovieLens 20M and titles; the ratings are synthetic, so nothing is fetched. Its older version is
trained on 88 % of the ratings, its newer one on all of them, going on from the older: a retraining. `1m` has a million
items that look trained, grown from those (benchmarks.vectors), without titles. `small` is made in seconds, for a try.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.data import BUILD, Data, prepared
from benchmarks.process import matinee, measured
from indexer.bundle import Bundle
from indexer.store import Store

SIZES = ("20m", "1m", "small")
NEWER, OLDER = "newer", "older"
_SMALL = ("--n-users", "3000", "--n-items", "2000", "--n-ratings", "200000", "--seed", "1")
_FIT = ("--dim", "64", "--seed", "42")
_GROWN_ITEMS = 1_000_000
# As in make bench-index.
_TARGET_RECALL = {"20m": "0.99", "1m": "0.95", "small": "0.99"}


@dataclass(frozen=True)
class World:
    """A store and the versions that benchmarks make current in it."""

    size: str
    folder: Path
    versions: Mapping[str, str]
    """By age."""

    @property
    def store(self) -> Store:
        """Where the versions are."""
        return Store(self.folder / "store", wait_s=60)

    @cached_property
    def newest(self) -> Bundle:
        """The newer version, open."""
        return self.store.open(self.versions[NEWER])

    def told(self) -> dict[str, Any]:
        """What every figure travels with: sizes, the index and its recall."""
        manifest = self.newest.manifest
        counts = {name: manifest[name] for name in ("n_items", "n_users", "dim", "index_key", "recall", "bytes")}
        return {"size": self.size, "version": self.newest.version, **counts}


def made(size: str, console: Console, *, both: bool = False) -> World:
    """The world called `size` with its newer version current; with the older one too where `both` are wanted."""
    folder = BUILD / "serving" / size
    folder.mkdir(parents=True, exist_ok=True)
    versions = {age: _published(size, age, folder, console) for age in ((OLDER, NEWER) if both else (NEWER,))}
    world = World(size, folder, versions)
    if world.store.current() != versions[NEWER]:
        world.store.activate(versions[NEWER])
    return world


def _published(size: str, age: str, folder: Path, console: Console) -> str:
    """The version of that age in the store."""
    known = folder / "versions.json"
    versions: dict[str, str] = json.loads(known.read_text()) if known.exists() else {}
    if age not in versions:
        embeddings = _embeddings(size, age, folder, console)
        console.print(f"{size}, {age}: matinee index", highlight=False)
        target = ("--target-recall", _TARGET_RECALL[size])
        versions[age] = matinee("index", embeddings, folder / "store", *target)["document"]["version"]
        known.write_text(json.dumps(versions))
    return versions[age]


def _embeddings(size: str, age: str, folder: Path, console: Console) -> Path:
    """The embeddings of that age, made where they are missing."""
    out = folder / age
    if out.exists():
        return out
    if size == "1m":
        trained = _embeddings("20m", age, BUILD / "serving/20m", console)
        measured("benchmarks.vectors", trained, out, str(_GROWN_ITEMS))
        return out
    data, source = _ratings(size, folder, console)
    ratings, earlier = (data.known, ()) if age == OLDER else (source, ("--warm-start", folder / OLDER))
    if age == NEWER:
        _embeddings(size, OLDER, folder, console)
    console.print(f"{size}, {age}: matinee train", highlight=False)
    matinee("train", ratings, out, *_FIT, "--items", source / "movies.csv", *earlier)
    return out


def _ratings(size: str, folder: Path, console: Console) -> tuple[Data, Path]:
    """The ratings in parts, and the folder with all of them and the titles."""
    name, source = "synthetic-20m", BUILD / "synthetic-20m/source"
    if size == "small":
        source = folder / "serving-small"
        name = str(source)
        if not source.exists():
            matinee("sample", source, *_SMALL)
    data = prepared(name, console)
    assert data is not None, "synthetic ratings are made where they are missing"
    return data, source
