"""A few users with their lists, so that a person can judge: chosen by activity alone, not by how good the lists are."""

import math
from collections.abc import Mapping

import numpy as np

from training.evaluation.breakdowns import Values
from training.evaluation.predictors import Model
from training.evaluation.report.evidence import Evidence
from training.evaluation.report.section import ItemList, Listed, Person, Section

_ACTIVITIES = (0.1, 0.5, 0.9)
_N_ITEMS = 10
_MOST_LETTERS = 120

_CHOICE = (
    "A user of little, of middling and of much activity (at a tenth, a half and nine tenths of all users that were "
    "measured). The embeddings know which items were rated in training, but not how; so those that the model itself "
    "scores highest stand for the history. Judge whether what is recommended goes with the rest."
)


def examples(evidence: Evidence) -> Section:
    """What three users rated, liked and get."""
    sentences = [_CHOICE]
    if not _has_titles(evidence):
        sentences.append("The data has no titles, so items are called by their ids.")
    return Section(
        "examples", "Example users", sentences, people=[_person(evidence, user) for user in _chosen(evidence)]
    )


def _has_titles(evidence: Evidence) -> bool:
    return len(evidence.embeddings.catalogue.item_titles.utf8) > 0


def _chosen(evidence: Evidence) -> list[int]:
    """User rows at some quantiles of activity, of users with liked held-out items where there are any."""
    users, _ = evidence.ranked
    users = users if len(users) else np.unique(evidence.held_out.user_rows)
    ordered = users[np.argsort(evidence.n_seen[users], kind="stable")]
    places = dict.fromkeys(round(activity * (len(ordered) - 1)) for activity in _ACTIVITIES)
    return [int(ordered[place]) for place in places]


def _person(evidence: Evidence, user: int) -> Person:
    catalogue = evidence.embeddings.catalogue
    seen = catalogue.seen[user]
    scores = Model(evidence.embeddings).scores(np.array([user]))[0].astype(np.float64)
    unseen = scores.copy()
    unseen[seen] = -math.inf
    best = [int(row) for row in np.argsort(-unseen, kind="stable")[:_N_ITEMS] if math.isfinite(unseen[row])]
    known = seen[np.argsort(-scores[seen], kind="stable")][:_N_ITEMS]
    held_out = _held_out(evidence, user)
    return Person(
        f"User {_shortened(catalogue.user_ids[user])}: {len(seen):,} rating{'s' * (len(seen) != 1)} in training",
        [
            ItemList(
                f"Rated in training: {min(_N_ITEMS, len(seen))} of {len(seen):,}",
                [_listed(evidence, int(item), _score(evidence, user, int(item))) for item in known],
            ),
            ItemList(
                f"Held out and really rated: {min(_N_ITEMS, len(held_out))} of {len(held_out):,}",
                [_rated(evidence, unseen, *each) for each in held_out[:_N_ITEMS]],
            ),
            ItemList(
                f"Recommended: the best {len(best)}",
                [_recommended(evidence, user, item, dict(held_out)) for item in best],
            ),
        ],
    )


def _held_out(evidence: Evidence, user: int) -> list[tuple[int, float]]:
    """The user's best held-out items with their ratings."""
    mine = evidence.held_out.user_rows == user
    items, values = evidence.held_out.item_rows[mine], evidence.held_out.values[mine]
    best = np.argsort(-values, kind="stable")
    return [(int(items[place]), float(values[place])) for place in best]


def _rated(evidence: Evidence, unseen: Values, item: int, value: float) -> Listed:
    place = 1 + int(np.count_nonzero(unseen > unseen[item]))
    return _listed(evidence, item, f"{value:g}", f"the model's place {place:,}", is_hit=place <= _N_ITEMS)


def _recommended(evidence: Evidence, user: int, item: int, held_out: Mapping[int, float]) -> Listed:
    score = _score(evidence, user, item)
    if item not in held_out:
        return _listed(evidence, item, score)
    liked = held_out[item] >= evidence.result["threshold"]
    return _listed(evidence, item, score, f"held out: rated {held_out[item]:g}", is_hit=liked)


def _score(evidence: Evidence, user: int, item: int) -> str:
    """The predicted rating, or the score where scores are no ratings."""
    score = float(Model(evidence.embeddings).predict(np.array([user]), np.array([item]))[0])
    return f"{np.clip(score, *evidence.scale):.2f}" if evidence.scores_are_ratings else f"{score:.3f}"


def _listed(evidence: Evidence, item: int, score: str, remark: str = "", *, is_hit: bool = False) -> Listed:
    catalogue = evidence.embeddings.catalogue
    title = catalogue.item_titles[item] or f"item {catalogue.item_ids[item]}"
    tags = ", ".join(catalogue.tag_names[int(tag)] for tag in catalogue.item_tags[item])
    return Listed(_shortened(title), _shortened(tags), score, remark, is_hit)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"
