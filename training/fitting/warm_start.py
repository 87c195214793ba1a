"""An earlier model's embeddings → where the next fit begins, with users and items that came and went."""

from pathlib import Path
from typing import Any

import numpy as np

from matinee.errors import UsageError
from training.data.ratings import Ratings
from training.embeddings import Embeddings
from training.errors import RatingsError
from training.evaluation.evaluate import HeldOut, rating_errors, rating_scale
from training.evaluation.predictors import Model
from training.fitting.config import FitConfig
from training.fitting.fit import UPDATE_SWEEPS, Start
from training.fitting.objectives import Parameters, first_rows, objective_of


def start_from(folder: Path, earlier: Embeddings, ratings: Ratings, config: FitConfig) -> Start:
    """Where a fit of `ratings` begins that goes on from the `earlier` model, read from `folder`.

    Its hyper-parameters hold, unless `config` gives others. Under the rating objective its items' rows do too, known by
    their ids; new ones begin as in a fit from scratch, and users need nothing, since the first solve makes them. Under
    the ranking objective, where a few sweeps from random rows rank better than many, only their number is kept: night
    after night of one sweep more would end at the optimum that ranks worse. Raises UsageError where objective or dim
    differ, RatingsError where no item is known.
    """
    used = earlier.description.get("config", {})
    if "sweeps" not in used:
        # Of the release before least squares, whose numbers of the same names meant something else.
        used = {}
    for name, found in (("objective", earlier.description.get("objective", "rating")), ("dim", earlier.dim)):
        if found != getattr(config, name):
            raise UsageError(
                f"{folder} has {name} {found}, which a warm start keeps, and not {getattr(config, name)}: "
                f"give --{name} {found}, or train from scratch"
            )
    objective = objective_of(ratings, config)
    values = {name: getattr(config, name) or used.get(name) for name in objective.start}
    if missing := [name for name, value in values.items() if not isinstance(value, float)]:
        raise UsageError(
            f"{folder} does not say its {missing[0]}; give --{missing[0].replace('_', '-')}, or train from scratch"
        )
    old_rows = earlier.catalogue.item_ids.rows(ratings.item_ids)
    known = np.flatnonzero(old_rows >= 0)
    if len(known) == 0:
        raise RatingsError(f"{folder} has none of the items that are rated here; train from scratch")
    rows = first_rows(objective, ratings.n_items, config.seed)
    if not objective.goes_on:
        sweeps = config.sweeps or used.get("sweeps")
        if not isinstance(sweeps, int) or sweeps < 1:
            raise UsageError(f"{folder} does not say its sweeps; give --sweeps, or train from scratch")
        return Start(rows, values, sweeps)
    rows[known] = objective.item_rows(_parameters(earlier, old_rows[known]))
    return Start(rows, values, UPDATE_SWEEPS)


def _parameters(earlier: Embeddings, item_rows: Any) -> Parameters:
    return Parameters(
        user_embeddings=earlier.user_embeddings,
        item_embeddings=earlier.item_embeddings[item_rows],
        user_biases=earlier.user_biases,
        item_biases=earlier.item_biases[item_rows],
        global_bias=earlier.global_bias,
    )


def judged_on_new(earlier: Embeddings, ratings: Ratings) -> dict[str, Any]:
    """How the `earlier` model predicts those of `ratings` that it was not fit to: what happened since, foretold.

    Counts as `HeldOut` has them, with RMSE and MAE where its scores are ratings; empty where nothing can be judged.
    """
    scale = rating_scale(earlier.description)
    if not earlier.scores_are_ratings or scale is None:
        return {}
    try:
        new = HeldOut.of(ratings, earlier.catalogue)
    except RatingsError:
        return {}
    counts = {name: count for name, count in new.counts().items() if name != "n_seen"}
    return counts | rating_errors(Model(earlier), new, scale)
