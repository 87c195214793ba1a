"""Small bundles and stores of random models, the same for the same seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.build import build_bundle
from indexer.bundle import FORMAT_VERSION, KIND
from indexer.store import Store
from tests.world import random_embeddings
from training.artefact import MANIFEST, read_manifest, seal
from training.embeddings import Embeddings, open_embeddings, write_embeddings

Change = Callable[[Path, dict[str, Any]], object]
"""What is done to the folder of a bundle and to the description that its manifest will have."""


def written_embeddings(folder: Path, seed: int = 0, n_users: int = 4, n_items: int = 12) -> Embeddings:
    """Those written to `folder`, as read back."""
    write_embeddings(random_embeddings(n_users, n_items, dim=2, seed=seed, seen=2), folder)
    return open_embeddings(folder)


def published(store: Store, seed: int = 0, *, activate: bool = True) -> str:
    """The version that a small random model got."""
    embeddings = random_embeddings(4, 12, dim=2, seed=seed, seen=2)
    return store.publish(lambda draft: build_bundle(embeddings, draft), activate=activate)


def resealed(folder: Path, change: Change) -> None:
    """Change a bundle and give it a manifest that fits: what somebody with bad intentions could hand over."""
    manifest = read_manifest(folder, KIND, FORMAT_VERSION)
    (folder / MANIFEST).unlink()
    derived = {"format", "format_version", "created", "files", "content_sha256"}
    description = {name: value for name, value in manifest.items() if name not in derived}
    change(folder, description)
    seal(folder, KIND, FORMAT_VERSION, description)
