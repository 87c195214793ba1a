"""The models that are asked, by name."""

from dataclasses import replace

from tests.world import fit_to_rank, random_embeddings
from training.embeddings import Embeddings

_WORLD = random_embeddings()
_FOLD_IN = {"penalty": 0.7, "bias_penalty": 0.3}
_RANKING_FOLD_IN = {"penalty": 0.7, "unseen_weight": 0.1, "lowest": 0.5, "liked_from": 4.0}

WORLDS: dict[str, Embeddings] = {
    "rating": replace(_WORLD, description={"rating_scale": [0.5, 5.0], "fold_in": _FOLD_IN}),
    "ranking": replace(fit_to_rank(_WORLD), description={"scores": "preferences", "fold_in": _RANKING_FOLD_IN}),
    # From before models said how their users were fitted.
    "old": _WORLD,
}

INDEX_KEYS = {"rating": "IVF4,Flat", "ranking": "HNSW16", "old": "Flat"}
"""The index of each: lists, a graph, and none that approximates."""
