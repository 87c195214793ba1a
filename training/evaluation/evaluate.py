"""A model, its baselines and held-out ratings → one table of figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.data.ratings import Ratings
from training.embeddings import Catalogue, Embeddings, Floats
from training.errors import RatingsError
from training.evaluation.baselines import BiasOnly, MostPopular
from training.evaluation.metrics import mae, rank, rmse
from training.evaluation.predictors import Model, Predictor

_BLOCK_PAIRS = 1 << 18

Scale = tuple[float, float]


@dataclass(frozen=True)
class HeldOut:
    """Ratings that a model was not fit to, in the model's rows; sorted by user."""

    user_rows: NDArray[np.int64]
    """(n,)."""
    item_rows: NDArray[np.int64]
    """(n,)."""
    values: Floats
    """(n,)."""
    n_unknown: int
    """How many more there are whose user or item the model does not know."""
    n_seen: int
    """How many more there are that the model was fit to."""

    def counts(self) -> dict[str, Any]:
        """n_ratings, n_unknown and n_seen."""
        return {"n_ratings": len(self.values), "n_unknown": self.n_unknown, "n_seen": self.n_seen}

    @classmethod
    def of(cls, test: Ratings, catalogue: Catalogue) -> "HeldOut":
        """Those of `test` that can be judged. Raises RatingsError where there are none."""
        users = catalogue.user_ids.rows(test.user_ids)[test.user_rows]
        items = catalogue.item_ids.rows(test.item_ids)[test.item_rows]
        known = (users >= 0) & (items >= 0)
        fresh = known.copy()
        fresh[known] = ~_contains(catalogue.seen, len(catalogue.item_ids), users[known], items[known])
        n_unknown, n_seen = int((~known).sum()), int(known.sum() - fresh.sum())
        if not fresh.any():
            raise RatingsError(
                f"none of the {len(test):,} test ratings can be judged: of {n_unknown:,} the model does not know the "
                f"user or item, and on {n_seen:,} it was trained; hold ratings out with --test-fraction and --test-out"
            )
        order = np.flatnonzero(fresh)
        order = order[np.argsort(users[order], kind="stable")]
        return cls(users[order], items[order], test.values[order], n_unknown, n_seen)


def _contains(seen: Ragged, n_items: int, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each pair is in `seen`: bool (n,)."""
    owners = np.repeat(np.arange(len(seen)), np.diff(seen.offsets))
    keys = owners * n_items + seen.rows
    if len(keys) == 0:
        return np.zeros(len(users), np.bool_)
    wanted = users * n_items + items
    positions = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: NDArray[np.bool_] = keys[positions] == wanted
    return found


def evaluate(embeddings: Embeddings, test: Ratings, ks: Sequence[int], threshold: float | None) -> dict[str, Any]:
    """RMSE, MAE and, for each k, NDCG and recall of the model and its baselines on `test`.

    Ratings are predicted for all of `test` that the model knows and was not fit to, clipped to the rating scale.
    Rankings are of all items that the user has not seen; relevant are items rated `threshold` or more (by default
    three quarters up the scale, so 4 of 5 stars); users without any are left out. Raises RatingsError where no rating
    can be judged.
    """
    held_out = HeldOut.of(test, embeddings.catalogue)
    scale = rating_scale(embeddings.description) or (float(test.values.min()), float(test.values.max()))
    threshold = scale[0] + 0.75 * (scale[1] - scale[0]) if threshold is None else threshold
    users, relevant = _relevant(held_out, threshold)
    rows: list[dict[str, Any]] = []
    for name, predictor in _contestants(embeddings).items():
        row = {"name": name, **rating_errors(predictor, held_out, scale), "n_users": len(users)}
        if len(users):
            ranks = rank(predictor, users, relevant, embeddings.catalogue.seen)
            for k in ks:
                row |= {f"ndcg@{k}": float(ranks.ndcg(k).mean()), f"recall@{k}": float(ranks.recall(k).mean())}
        rows.append(row)
    return {
        **held_out.counts(),
        "rating_scale": list(scale),
        "threshold": threshold,
        "rows": rows,
    }


def rating_errors(predictor: Predictor, held_out: HeldOut, scale: Scale) -> dict[str, float]:
    """RMSE and MAE of predictions clipped to `scale`."""
    errors = np.empty(len(held_out.values), np.float32)
    for start in range(0, len(errors), _BLOCK_PAIRS):
        block = slice(start, start + _BLOCK_PAIRS)
        predicted = predictor.predict(held_out.user_rows[block], held_out.item_rows[block])
        errors[block] = np.clip(predicted, *scale) - held_out.values[block]
    return {"rmse": rmse(errors), "mae": mae(errors)}


def rating_scale(description: Mapping[str, Any]) -> Scale | None:
    """The lowest and the highest rating that the model was fit to, or None where its manifest does not say."""
    match description.get("rating_scale"):
        case [int() | float() as low, int() | float() as high] if low <= high:
            return float(low), float(high)
    return None


def _relevant(held_out: HeldOut, threshold: float) -> tuple[NDArray[np.int64], Ragged]:
    """The users with relevant items, int64 (n,), and for each the rows of these items."""
    liked = held_out.values >= threshold
    users, starts = np.unique(held_out.user_rows[liked], return_index=True)
    offsets = np.append(starts, liked.sum()).astype(np.int64)
    return users, Ragged(offsets, held_out.item_rows[liked].astype(np.int32))


def _contestants(embeddings: Embeddings) -> dict[str, Predictor]:
    """The model and its baselines; bias-only where the embeddings came with one."""
    baseline = embeddings.baseline
    n_ratings = np.bincount(embeddings.catalogue.seen.rows, minlength=embeddings.n_items).astype(np.float32)
    mean = baseline.global_bias if baseline else embeddings.global_bias
    return {
        "model": Model(embeddings),
        **({"bias only": BiasOnly(baseline)} if baseline else {}),
        "most popular": MostPopular(n_ratings, mean),
    }
