"""The smallest world with a known answer, and the oracle: six lines of NumPy for scores and top-k."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.columns import Ids, Ragged, Strings
from training.embeddings import Catalogue, Embeddings


def predicted_ratings(embeddings: Embeddings, user_row: int) -> NDArray[np.float64]:
    """The predicted rating, or the preference, of every item for one user, float64 (n_items,)."""
    products = embeddings.item_embeddings.astype(np.float64) @ embeddings.user_embeddings[user_row].astype(np.float64)
    user_offset = embeddings.global_bias + float(embeddings.user_biases[user_row])
    predicted: NDArray[np.float64] = user_offset + embeddings.item_biases.astype(np.float64) + products
    return predicted


def oracle(embeddings: Embeddings, user_row: int, k: int, excluded: NDArray[np.integer] | list[int]) -> list[int]:
    """The k best item rows of one user in float64, equal scores in the order of the rows."""
    scores = predicted_ratings(embeddings, user_row)
    scores[np.asarray(excluded, np.int64)] = -np.inf
    order = np.lexsort((np.arange(len(scores)), -scores))
    return [int(row) for row in order[:k] if np.isfinite(scores[row])]


def random_embeddings(n_users: int = 30, n_items: int = 50, dim: int = 6, seed: int = 0, seen: int = 5) -> Embeddings:
    """A random model: integer user ids from 1, item ids "i0", "i1", … sorted as text, `seen` items a user."""
    rng = np.random.default_rng(seed)
    item_ids, _ = Ids.of([f"i{row}" for row in range(n_items)])
    return Embeddings(
        user_embeddings=rng.normal(size=(n_users, dim)).astype(np.float32),
        item_embeddings=rng.normal(size=(n_items, dim)).astype(np.float32),
        user_biases=rng.normal(size=n_users).astype(np.float32),
        item_biases=rng.normal(size=n_items).astype(np.float32),
        global_bias=3.5,
        catalogue=Catalogue(
            user_ids=Ids.of([str(user) for user in range(1, n_users + 1)])[0],
            item_ids=item_ids,
            seen=Ragged.of([sorted(rng.choice(n_items, seen, replace=False).tolist()) for _ in range(n_users)]),
            item_titles=Strings.of(f"Title of {item_ids[row]}" for row in range(n_items)),
            item_tags=Ragged.of([[row % 2] for row in range(n_items)]),
            tag_names=Strings.of(["even", "odd"]),
        ),
    )


def fit_to_rank(embeddings: Embeddings) -> Embeddings:
    """The same model without biases, as one that was fit to rank: its scores are preferences."""
    return replace(
        embeddings,
        user_biases=np.zeros_like(embeddings.user_biases),
        item_biases=np.zeros_like(embeddings.item_biases),
        global_bias=0.0,
        description={**embeddings.description, "objective": "ranking", "scores": "preferences"},
    )


def with_zeros(embeddings: Embeddings) -> Embeddings:
    """The same, with nothing learnt of every fourth user and every fifth item, as where all that they have is low."""
    users, items = embeddings.user_embeddings.copy(), embeddings.item_embeddings.copy()
    users[::4] = 0
    items[::5] = 0
    return replace(embeddings, user_embeddings=users, item_embeddings=items)


def checker_board(n_users: int = 20, n_items: int = 30) -> Embeddings:
    """Even users like even items, odd users odd ones; each user has seen the first two items of its own colour."""
    sign = np.array([1, -1], np.float32)
    users, items = np.arange(n_users), np.arange(n_items)
    return Embeddings(
        user_embeddings=np.stack([sign[users % 2], np.zeros(n_users, np.float32)], axis=1),
        item_embeddings=np.stack([sign[items % 2], np.full(n_items, 0.5, np.float32)], axis=1),
        user_biases=np.zeros(n_users, np.float32),
        item_biases=np.zeros(n_items, np.float32),
        global_bias=3.0,
        catalogue=Catalogue(
            user_ids=Ids.of([str(user) for user in users])[0],
            item_ids=Ids.of([str(item) for item in items])[0],
            seen=Ragged.of([[user % 2, user % 2 + 2] for user in range(n_users)]),
            item_titles=Strings.of(["even" if item % 2 == 0 else "odd" for item in items]),
            item_tags=Ragged.of([[] for _ in items]),
            tag_names=Strings.of([]),
        ),
    )
