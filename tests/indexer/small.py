"""Small bundles and stores of random models, the same for the same seed."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from indexer.build import build_bundle
from indexer.bundle import FORMAT_VERSION, KIND
from indexer.equalise import equaliser, fitted_to
from indexer.index import Index, Settings, fill_index, new_index
from indexer.keys import checked_key
from indexer.places import AnyStore
from indexer.vectors import Floats, Source
from tests.world import random_embeddings
from training.artefact import MANIFEST, read_manifest, seal
from training.embeddings import Embeddings, open_embeddings, write_embeddings

SETTINGS = Settings()
Change = Callable[[Path, dict[str, Any]], object]
"""What is done to the folder of a bundle and to the description that its manifest will have."""


def written_embeddings(folder: Path, seed: int = 0, n_users: int = 4, n_items: int = 12) -> Embeddings:
    """Those written to `folder`, as read back."""
    write_embeddings(random_embeddings(n_users, n_items, dim=2, seed=seed, seen=2), folder)
    return open_embeddings(folder)


def published(store: AnyStore, seed: int = 0, *, activate: bool = True) -> str:
    """The version that a small random model got."""
    embeddings = random_embeddings(4, 12, dim=2, seed=seed, seen=2)
    return store.publish(lambda draft: build_bundle(embeddings, draft), activate=activate)


@cache
def bundle_files(seed: int) -> dict[str, bytes]:
    """The files of the bundle of a small random model, built once."""
    with TemporaryDirectory() as folder:
        build_bundle(random_embeddings(4, 12, dim=2, seed=seed, seen=2), Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def quickly_published(store: AnyStore, seed: int = 0, *, activate: bool = True) -> str:
    """The version that a small random model got, which is not built anew each time."""

    def fill(draft: Path) -> None:
        for name, data in bundle_files(seed).items():
            (draft / name).write_bytes(data)

    return store.publish(fill, activate=activate)


def resealed(folder: Path, change: Change) -> None:
    """Change a bundle and give it a manifest that fits: what somebody with bad intentions could hand over."""
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    (folder / MANIFEST).unlink()
    derived = {"format", "format_version", "created", "files", "content_sha256"}
    description = {name: value for name, value in manifest.items() if name not in derived}
    change(folder, description)
    seal(folder, KIND, FORMAT_VERSION, description)


def index_over(vectors: Floats, key_text: str, settings: Settings = SETTINGS, dim: int | None = None) -> Index:
    """The index of `key_text` over `vectors`, float32 (n, width), whose last two columns are free for an equaliser."""
    key = checked_key(key_text, *vectors.shape)
    source = Source(vectors, vectors.shape[1] - 2 if dim is None else dim, unit=False)
    if not key.equalised:
        index = fill_index(new_index(key, source.width, vectors), source.blocks())
        return Index(key, index, settings, settings)
    equal = equaliser(
        source, fitted_to(np.random.default_rng(5).normal(size=(99, source.width)).astype(np.float32), source.dim)
    )
    index = fill_index(new_index(key, source.width, equal.items(vectors)), map(equal.items, source.blocks()))
    return Index(key, index, settings, settings, equal.of_queries)
