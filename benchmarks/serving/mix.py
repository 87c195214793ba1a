"""Calls of every method, with every kind of filter: what a day brings, for a soak."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message

from benchmarks.serving.calls import Request, request
from indexer.bundle import Bundle
from matinee.v1 import recommender_pb2 as pb
from training.columns import Ids

SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"]
_WEIGHTS = {
    "Recommend": 60,
    "SimilarItems": 20,
    "PredictRatings": 8,
    "GetItems": 6,
    "RecommendFromRatings": 5,
    "BatchRecommend": 1,
}
_VARIANTS, _BATCH = 32, 300
_Filtered = TypeVar(
    "_Filtered", pb.RecommendRequest, pb.SimilarItemsRequest, pb.RecommendFromRatingsRequest, pb.BatchRecommendRequest
)


@dataclass
class _World:
    """Where ids and tags are drawn from: those that both versions know."""

    bundles: tuple[Bundle, ...]
    rng: np.random.Generator

    def user(self) -> str:
        """A user's id."""
        return self._known([bundle.catalogue.user_ids for bundle in self.bundles])

    def item(self) -> str:
        """An item's id."""
        return self._known([bundle.catalogue.item_ids for bundle in self.bundles])

    def items(self, most: int) -> list[str]:
        """1 to `most` different items."""
        return sorted({self.item() for _ in range(int(self.rng.integers(1, most + 1)))})

    def tags(self) -> list[str]:
        """One or two tags."""
        names = self.bundles[0].catalogue.tag_names
        n = min(len(names), int(self.rng.integers(1, 3)))
        return [names[int(row)] for row in self.rng.choice(len(names), n, replace=False)] if n else []

    def k(self) -> int:
        """Mostly 10."""
        return int(self.rng.choice([1, 10, 10, 10, 50, 200]))

    def filtered(self, message: _Filtered) -> _Filtered:
        """`message`, every second time with one of the four kinds of filter."""
        kind = int(self.rng.integers(8))
        if kind == 0:
            message.exclude_item_ids.extend(self.items(50))
        elif kind == 1:
            message.only_item_ids.extend(self.items(500))
        elif kind == 2:
            message.any_tags.extend(self.tags())
        elif kind == 3:
            message.no_tags.extend(self.tags())
        return message

    def _known(self, ids: Sequence[Ids]) -> str:
        while True:
            found = ids[0][int(self.rng.integers(len(ids[0])))]
            if all(others.row(found) is not None for others in ids):
                return found


def _recommend(world: _World) -> Message:
    if world.rng.random() < 0.05:
        return pb.RecommendRequest(user_id="nobody that was trained on", popular_if_unknown=True)
    weight = float(world.rng.choice([-1.0, 0.0, 0.5, 2.0])) if world.rng.random() < 0.2 else None
    seen = bool(world.rng.random() < 0.1)
    return world.filtered(
        pb.RecommendRequest(user_id=world.user(), k=world.k(), include_seen=seen, item_bias_weight=weight)
    )


def _similar_items(world: _World) -> Message:
    return world.filtered(pb.SimilarItemsRequest(item_id=world.item(), k=world.k()))


def _predict_ratings(world: _World) -> Message:
    return pb.PredictRatingsRequest(user_id=world.user(), item_ids=world.items(100))


def _get_items(world: _World) -> Message:
    return pb.GetItemsRequest(item_ids=world.items(100))


def _recommend_from_ratings(world: _World) -> Message:
    ratings = [pb.Rating(item_id=item_id, rating=float(world.rng.integers(1, 6))) for item_id in world.items(30)]
    return world.filtered(pb.RecommendFromRatingsRequest(ratings=ratings, k=world.k()))


def _batch_recommend(world: _World) -> Message:
    user_ids = [world.user() for _ in range(_BATCH)]
    return world.filtered(pb.BatchRecommendRequest(user_ids=user_ids))


_MAKERS = {
    "Recommend": _recommend,
    "SimilarItems": _similar_items,
    "PredictRatings": _predict_ratings,
    "GetItems": _get_items,
    "RecommendFromRatings": _recommend_from_ratings,
    "BatchRecommend": _batch_recommend,
}


@dataclass(frozen=True)
class Mix:
    """Calls, the method of each, and how often each is made."""

    methods: list[str]
    calls: list[Request]
    shares: list[float]


def mixed(bundles: tuple[Bundle, ...], seed: int) -> Mix:
    """Some variants of every method of the schema; half of them with a deadline."""
    world = _World(bundles, np.random.default_rng(seed))
    made = [(method.name, call) for method in SERVICE.methods for call in _variants(world, method.name)]
    weights = np.array([_WEIGHTS[name] for name, _ in made], np.float64)
    return Mix([name for name, _ in made], [call for _, call in made], (weights / weights.sum()).tolist())


def _variants(world: _World, name: str) -> Iterator[Request]:
    for variant in range(_VARIANTS):
        message = _MAKERS[name](world).SerializeToString()
        yield request(f"/{SERVICE.full_name}/{name}", message, "20S" if variant % 2 else None)
