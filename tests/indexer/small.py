"""Small bundles and stores of random models, the same for the same seed."""

from pathlib import Path

from indexer.build import build_bundle
from indexer.store import Store
from tests.world import random_embeddings
from training.embeddings import Embeddings, open_embeddings, write_embeddings


def written_embeddings(folder: Path, seed: int = 0, n_users: int = 4, n_items: int = 12) -> Embeddings:
    """Those written to `folder`, as read back."""
    write_embeddings(random_embeddings(n_users, n_items, dim=2, seed=seed, seen=2), folder)
    return open_embeddings(folder)


def published(store: Store, seed: int = 0, *, activate: bool = True) -> str:
    """The version that a small random model got."""
    embeddings = random_embeddings(4, 12, dim=2, seed=seed, seen=2)
    return store.publish(lambda draft: build_bundle(embeddings, draft), activate=activate)
