"""A model, its baselines and held-out ratings → one table of figures.

The result is of plain JSON values, and these names stay:

    n_ratings, n_unknown, n_seen, n_cold      as `HeldOut` says
    rating_scale      [low, high], to which predictions are clipped
    threshold         an item is relevant to a user who rated it so or higher
    scores            "ratings", or "preferences" where the model's scores are no ratings
    n_relevant_users  how many users have a relevant item
    rows              one for each contestant, the model first:
        name
        n_users       how many users were judged by their rankings: all with a relevant item, or a sample of them
        rmse, mae     null where the contestant predicts no ratings
        ndcg@K, recall@K, precision@K, map@K, mrr@K              means over users; `Ranks` says what of
        coverage@K, popularity@K, ratings_per_item@K, gini@K     of all lists together; `variety` says what they are
        ci            by the names above [low, high], an interval of 95 %; `confidence` says which

Without a user to judge there is no figure at K.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from training.data.ratings import Ratings
from training.embeddings import PREFERENCES, RATINGS, Embeddings, Floats
from training.evaluation.baselines import BiasOnly, MostPopular
from training.evaluation.figures import Figures, add_errors, add_rankings
from training.evaluation.held_out import HeldOut, Rows, relevant_items
from training.evaluation.metrics import Judged, judge, mae, rmse
from training.evaluation.predictors import Model, Predictor

__all__ = [
    "HeldOut", "How", "clipped_predictions", "contestants", "evaluate", "measure", "rating_errors", "rating_scale",
    "relevant_items",
]  # fmt: skip

MODEL = "model"

_BLOCK_PAIRS = 1 << 18

Scale = tuple[float, float]
Watch = Callable[[str, int, int], object]
"""Told of a contestant, how many users it ranks for, and how many more of them are done."""


def unwatched(name: str, n_users: int, n_more: int) -> None:
    """A `Watch` that looks away."""


@dataclass(frozen=True)
class How:
    """What is measured."""

    ks: Sequence[int] = (10,)
    """Lengths of lists."""
    threshold: float | None = None
    """An item is relevant to a user who rated it so or higher; None: three quarters up the scale, 4 of 5 stars."""
    n_users: int | None = None
    """Rankings are judged for so many users with a relevant item, drawn at random; None: for all."""
    seed: int = 42
    """Of that draw."""


def evaluate(embeddings: Embeddings, test: Ratings, ks: Sequence[int], threshold: float | None) -> dict[str, Any]:
    """`measure` on those of `test` that can be judged. Raises RatingsError where there are none."""
    return measure(embeddings, HeldOut.of(test, embeddings.catalogue), How(ks, threshold))


def measure(embeddings: Embeddings, held_out: HeldOut, how: How, watch: Watch = unwatched) -> dict[str, Any]:
    """The figures of the model and its baselines, as the head of this module has them.

    Ratings are predicted for all of `held_out`, clipped to the rating scale. Rankings are of all items that the user
    has not seen; users without a relevant item are left out.
    """
    scale = rating_scale(embeddings.description) or (float(held_out.values.min()), float(held_out.values.max()))
    threshold = scale[0] + 0.75 * (scale[1] - scale[0]) if how.threshold is None else how.threshold
    users, relevant = relevant_items(held_out, threshold)
    chosen = _drawn(len(users), how)
    judged = Judged(users[chosen], relevant.take(chosen), embeddings.catalogue.seen)
    n_ratings = np.bincount(embeddings.catalogue.seen.rows, minlength=embeddings.n_items)
    rates = embeddings.scores_are_ratings
    rows: list[dict[str, Any]] = []
    for name, predictor in contestants(embeddings).items():
        figures = Figures()
        if rates or name != MODEL:
            add_errors(figures, clipped_predictions(predictor, held_out, scale) - held_out.values, held_out.user_rows)
        else:
            figures.values.update(rmse=None, mae=None)
        if len(chosen):
            found = judge(predictor, judged, how.ks, partial(watch, name, len(chosen)))
            add_rankings(figures, *found, n_ratings)
        rows.append({"name": name, "n_users": len(chosen), **figures.to_json()})
    return {
        **held_out.counts(),
        "rating_scale": list(scale),
        "threshold": threshold,
        "scores": RATINGS if rates else PREFERENCES,
        "n_relevant_users": len(users),
        "rows": rows,
    }


def _drawn(n_users: int, how: How) -> Rows:
    """The positions of the users to judge, ascending."""
    if how.n_users is None or how.n_users >= n_users:
        return np.arange(n_users)
    return np.sort(np.random.default_rng(how.seed).choice(n_users, how.n_users, replace=False))


def clipped_predictions(predictor: Predictor, held_out: HeldOut, scale: Scale) -> Floats:
    """The predicted rating of each of `held_out`, clipped to `scale`: float32 (n,)."""
    predicted = np.empty(len(held_out.values), np.float32)
    for start in range(0, len(predicted), _BLOCK_PAIRS):
        block = slice(start, start + _BLOCK_PAIRS)
        predicted[block] = predictor.predict(held_out.user_rows[block], held_out.item_rows[block])
    return np.clip(predicted, *scale, out=predicted)


def rating_errors(predictor: Predictor, held_out: HeldOut, scale: Scale) -> dict[str, float]:
    """RMSE and MAE of predictions clipped to `scale`."""
    errors = clipped_predictions(predictor, held_out, scale) - held_out.values
    return {"rmse": rmse(errors), "mae": mae(errors)}


def rating_scale(description: Mapping[str, Any]) -> Scale | None:
    """The lowest and the highest rating that the model was fit to, or None where its manifest does not say."""
    match description.get("rating_scale"):
        case [int() | float() as low, int() | float() as high] if low <= high:
            return float(low), float(high)
    return None


def contestants(embeddings: Embeddings) -> dict[str, Predictor]:
    """The model and its baselines; bias-only where the embeddings came with one."""
    baseline = embeddings.baseline
    n_ratings = np.bincount(embeddings.catalogue.seen.rows, minlength=embeddings.n_items).astype(np.float32)
    mean = baseline.global_bias if baseline else embeddings.global_bias
    return {
        MODEL: Model(embeddings),
        **({"bias only": BiasOnly(baseline)} if baseline else {}),
        "most popular": MostPopular(n_ratings, mean),
    }
