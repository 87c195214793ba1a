"""What the result of `matinee train --json` says of the time of its sweeps."""

from collections.abc import Mapping
from typing import Any


def sweeps_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """How many there were, of the trials (over a part of the ratings) and over all, their seconds and their speed."""
    trials, last = document["search"], document["refit"] or document["history"]
    n_trial, n_last = sum(trial["sweeps"] for trial in trials), len(last)
    search_s, last_s = sum(trial["seconds"] for trial in trials), sum(sweep["seconds"] for sweep in last)
    passes = n_trial * (1 - document["config"]["validation_fraction"]) + n_last
    return {
        "ratings_per_s": round(document["n_ratings"] * passes / (search_s + last_s)),
        "trials": len(trials),
        "sweeps": n_trial + n_last,
        "search_s": round(search_s, 2),
        "sweeps_s": round(search_s + last_s, 2),
    }
