"""A fitted model → embeddings that say how they came about."""

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from training.baselines import fit_biases
from training.config import FitConfig
from training.embeddings import Catalogue, Embeddings
from training.evaluation import HeldOut, rating_errors
from training.predictors import Model
from training.ratings import Ratings

if TYPE_CHECKING:
    from training.fit import Fit

_LIBRARIES = ("matinee", "tensorflow", "keras", "numpy")


def described(fit: "Fit", ratings: Ratings, test: Ratings | None, config: FitConfig) -> Embeddings:
    """The embeddings of `fit`, with the baseline and the description for their manifest.

    `ratings` are those that were fitted to, validation included: only they count as seen. `test`, where there is
    one, is measured. Raises RatingsError where none of it can be judged.
    """
    catalogue = Catalogue(
        user_ids=ratings.user_ids,
        item_ids=ratings.item_ids,
        seen=ratings.seen(),
        item_titles=ratings.item_titles,
        item_tags=ratings.item_tags,
        tag_names=ratings.tag_names,
    )
    embeddings = replace(fit.model.embeddings(catalogue), baseline=fit_biases(ratings))
    scale = float(ratings.values.min()), float(ratings.values.max())
    description: dict[str, Any] = {
        "rating_scale": list(scale),
        "objective": config.objective,
        "config": {**config.fit_values(), "batch_size": fit.batch_size},
        "metrics": fit.metrics(),
        "data_fingerprint": ratings.fingerprint,
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    if test is not None:
        held_out = HeldOut.of(test, catalogue)
        description["metrics"]["test"] = held_out.counts() | rating_errors(Model(embeddings), held_out, scale)
    return replace(embeddings, description=description)
