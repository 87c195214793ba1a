"""A fitted model → embeddings that say how they came about."""

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from training.data.ratings import Ratings
from training.embeddings import RATINGS, Catalogue, Embeddings
from training.evaluation.baselines import fit_biases
from training.evaluation.evaluate import HeldOut, rating_errors
from training.evaluation.predictors import Model
from training.fitting.config import FitConfig

if TYPE_CHECKING:
    from training.fitting.fit import Fit

_LIBRARIES = ("matinee", "tensorflow", "keras", "numpy")


def catalogue_of(ratings: Ratings) -> Catalogue:
    """Users, items and what was seen, as `ratings` have them."""
    return Catalogue(
        user_ids=ratings.user_ids,
        item_ids=ratings.item_ids,
        seen=ratings.seen(),
        item_titles=ratings.item_titles,
        item_tags=ratings.item_tags,
        tag_names=ratings.tag_names,
    )


def described(
    fit: "Fit", ratings: Ratings, catalogue: Catalogue, held_out: HeldOut | None, config: FitConfig
) -> Embeddings:
    """The embeddings of `fit`, with the baseline and the description for their manifest.

    `ratings` are those that were fitted to, validation included, and `catalogue` is theirs: only they count as seen.
    `held_out`, where there is any and scores are ratings, is measured.
    """
    embeddings = replace(fit.model.embeddings(catalogue), baseline=fit_biases(ratings))
    scale = float(ratings.values.min()), float(ratings.values.max())
    description = fit.description()
    if held_out is not None:
        rates = fit.objective.scores == RATINGS
        errors = rating_errors(Model(embeddings), held_out, scale) if rates else {}
        description["metrics"]["test"] = held_out.counts() | errors
    return replace(
        embeddings,
        description={
            "rating_scale": list(scale),
            "objective": config.objective,
            "scores": fit.objective.scores,
            "config": {**config.fit_values(), **fit.values, "sweeps": fit.sweeps},
            "fold_in": fit.objective.fold_in(fit.values),
            "data_fingerprint": ratings.fingerprint,
            "libraries": {name: version(name) for name in _LIBRARIES},
            **description,
        },
    )
