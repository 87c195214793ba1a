"""Rankings against a reference that goes through items one by one, in every order of equal scores."""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.tastes import table
from training.columns import Ragged
from training.evaluation import alike, personal
from training.evaluation.baselines import BiasOnly, MostPopular, fit_biases
from training.evaluation.metrics import Judged, judge, list_counts, mae, rank, rmse
from training.evaluation.predictors import Predictor, Rows, SameForAll
from training.evaluation.ranks import Ranks

N_ITEMS = 6
METRICS = (Ranks.ndcg, Ranks.recall, Ranks.precision, Ranks.average_precision, Ranks.reciprocal_rank)


@dataclass(frozen=True)
class Fixed:
    """Scores that were written down."""

    table: NDArray[np.float32]

    def predict(self, user_rows: Rows, item_rows: Rows) -> NDArray[np.float32]:
        return self.table[user_rows, item_rows]

    def scores(self, user_rows: Rows) -> NDArray[np.float32]:
        return self.table[user_rows]


@dataclass(frozen=True)
class FixedForAll(SameForAll):
    """One row of scores that was written down."""

    row: NDArray[np.float32]

    @property
    def item_scores(self) -> NDArray[np.float32]:
        return self.row

    def predict(self, user_rows: Rows, item_rows: Rows) -> NDArray[np.float32]:
        return self.scores(user_rows)[np.arange(len(user_rows)), item_rows]


def figures(order: Sequence[int], relevant: list[int], k: int) -> list[float]:
    """NDCG, recall, precision, average precision and reciprocal rank of one list, by counting."""
    hits = [item in relevant for item in order[:k]]
    most = min(k, len(relevant))
    gain = sum(1 / math.log2(place + 1) for place, hit in enumerate(hits, 1) if hit)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, most + 1))
    precisions = [sum(hits[:place]) / place for place, hit in enumerate(hits, 1) if hit]
    first = next((place for place, hit in enumerate(hits, 1) if hit), math.inf)
    return [gain / ideal, sum(hits) / most, sum(hits) / k, sum(precisions) / most, 1 / first]


def orders(scores: Sequence[float], seen: list[int]) -> list[tuple[int, ...]]:
    """All orders of the unseen items in which no score rises, that of the rows first."""
    unseen = sorted((item for item in range(len(scores)) if item not in seen), key=lambda item: -scores[item])
    ties = [list(items) for _, items in itertools.groupby(unseen, key=lambda item: scores[item])]
    return [
        tuple(itertools.chain(*parts)) for parts in itertools.product(*(itertools.permutations(tie) for tie in ties))
    ]


@dataclass(frozen=True)
class World:
    """Some users, what they have seen, what is relevant to them, and what scores their items."""

    predictor: Predictor
    seen: list[list[int]]
    relevant: list[list[int]]

    @property
    def judged(self) -> list[int]:
        """The users with a relevant item, last first."""
        return [user for user in reversed(range(len(self.relevant))) if self.relevant[user]]

    def scores(self, user: int) -> list[float]:
        scores: list[float] = self.predictor.scores(np.array([user]))[0].tolist()
        return scores

    def expected(self, k: int) -> NDArray[np.float64]:
        """Of each judged user the mean figures over all orders: (n_users, n_metrics)."""
        return np.array(
            [
                np.mean(
                    [figures(order, self.relevant[user], k) for order in orders(self.scores(user), self.seen[user])],
                    axis=0,
                )
                for user in self.judged
            ]
        )

    def expected_lists(self, k: int) -> list[int]:
        """How often each item is in the first k of a judged user."""
        lists = [orders(self.scores(user), self.seen[user])[0][:k] for user in self.judged]
        listed = [*itertools.chain(*lists)]
        return [listed.count(item) for item in range(N_ITEMS)]

    def arguments(self) -> tuple[NDArray[np.int64], Ragged, Ragged]:
        """User rows, relevant items and seen items, as `rank` takes them."""
        return (
            np.array(self.judged),
            Ragged.of([self.relevant[user] for user in self.judged]),
            Ragged.of(self.seen),
        )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    one_scores = st.lists(st.sampled_from([-2.5, -1, -0.0, 0.0, 3]), min_size=N_ITEMS, max_size=N_ITEMS)
    one_roles = st.lists(st.sampled_from(["relevant", "seen", "neither"]), min_size=N_ITEMS, max_size=N_ITEMS)
    users = draw(
        st.lists(one_roles, min_size=1, max_size=4).filter(lambda users: any("relevant" in user for user in users))
    )
    predictor: Predictor
    if draw(st.booleans()):
        predictor = FixedForAll(np.array(draw(one_scores), np.float32))
    else:
        predictor = Fixed(np.array([draw(one_scores) for _ in users], np.float32))
    return World(
        predictor, *([[i for i, role in enumerate(u) if role == r] for u in users] for r in ("seen", "relevant"))
    )


@contextmanager
def small(n_scores: int, width: int) -> Iterator[None]:
    """Blocks and segments of so few items that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(personal, "_BLOCK_SCORES", n_scores)
        patch.setattr(personal, "_WIDTH", width)
        patch.setattr(alike, "_BLOCK_ROWS", n_scores)
        yield


ks = st.integers(1, N_ITEMS + 2)
sizes = st.tuples(st.integers(1, 20), st.integers(1, 4))


@given(worlds(), ks, sizes)
def test_every_metric_is_its_mean_over_all_orders_of_equal_items(world: World, k: int, size: tuple[int, int]) -> None:
    with small(*size):
        ranks = rank(world.predictor, *world.arguments())
    found = np.stack([metric(ranks, k) for metric in METRICS], axis=1)
    np.testing.assert_allclose(found, world.expected(k), atol=1e-12)


@given(worlds(), ks, st.integers(0, 3), sizes)
def test_to_a_depth_metrics_are_the_same(world: World, k: int, deeper: int, size: tuple[int, int]) -> None:
    exact = rank(world.predictor, *world.arguments())
    with small(*size):
        ranks = rank(world.predictor, *world.arguments(), depth=k + deeper)
    for metric in METRICS:
        np.testing.assert_allclose(metric(ranks, k), metric(exact, k), atol=1e-12)


@given(worlds(), ks, sizes)
def test_lists_hold_the_best_unseen_items_equal_ones_in_the_order_of_their_rows(
    world: World, k: int, size: tuple[int, int]
) -> None:
    user_rows, _, seen = world.arguments()
    with small(*size):
        assert list_counts(world.predictor, user_rows, seen, k).tolist() == world.expected_lists(k)


@given(worlds(), st.lists(ks, min_size=1, max_size=3, unique=True), sizes)
def test_judged_in_one_pass_ranks_and_lists_are_those_of_each_alone(
    world: World, lengths: list[int], size: tuple[int, int]
) -> None:
    n_told: list[int] = []
    with small(*size):
        ranks, counts = judge(world.predictor, Judged(*world.arguments()), lengths, n_told.append)
    assert sum(n_told) == len(world.judged)
    exact = rank(world.predictor, *world.arguments())
    for k in lengths:
        np.testing.assert_allclose(ranks.ndcg(k), exact.ndcg(k), atol=1e-12)
        assert counts[k].tolist() == world.expected_lists(k)


def test_many_items_with_many_ties_are_ranked_as_a_sort_would() -> None:
    rng = np.random.default_rng(0)
    scores = (rng.integers(0, 200, (50, 1003)) / 8 - 9).astype(np.float32)
    seen = [sorted(rng.choice(1003, 40, replace=False).tolist()) for _ in range(50)]
    relevant = [[item for item in rng.choice(1003, 30, replace=False).tolist() if item not in s] for s in seen]
    with small(20_000, 16):
        ranks = rank(Fixed(scores), np.arange(50), Ragged.of(relevant), Ragged.of(seen))
        to_20, counts = judge(Fixed(scores), Judged(np.arange(50), Ragged.of(relevant), Ragged.of(seen)), [20])
    expected = scores.copy()
    for user in range(50):
        expected[user, seen[user]] = -np.inf
    wanted = np.concatenate([expected[user, relevant[user]] for user in range(50)])
    rows = expected[np.repeat(np.arange(50), np.diff(ranks.offsets))]
    np.testing.assert_array_equal(ranks.n_better, (rows > wanted[:, None]).sum(axis=1))
    np.testing.assert_array_equal(ranks.n_equal, (rows == wanted[:, None]).sum(axis=1))
    np.testing.assert_allclose(to_20.average_precision(20), ranks.average_precision(20))
    lists = np.argsort(-expected, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(counts[20], np.bincount(lists.ravel(), minlength=1003))


def ranks_of(scores: list[float], relevant: list[int], seen: list[int]) -> Ranks:
    return rank(Fixed(np.array([scores], np.float32)), np.array([0]), Ragged.of([relevant]), Ragged.of([seen]))


def test_a_perfect_list_has_one_and_the_worst_has_none() -> None:
    perfect = ranks_of([9, 8, 1, 0], [0, 1], [])
    for metric in METRICS:
        assert metric(perfect, 2)[0] == metric(perfect, 1)[0] == 1
    assert perfect.ndcg(100)[0] == perfect.average_precision(100)[0] == 1
    worst = ranks_of([0, 0, 1, 2], [0, 1], [])
    for metric in METRICS:
        assert metric(worst, 2)[0] == 0
    assert worst.recall(4)[0] == 1


def test_a_scorer_that_can_not_tell_items_apart_gets_what_chance_would() -> None:
    ranks = ranks_of([1.0] * 100, [3], [])
    assert ranks.recall(10)[0] == pytest.approx(0.1)
    assert ranks.precision(10)[0] == pytest.approx(0.01)
    assert ranks.reciprocal_rank(10)[0] == pytest.approx(sum(1 / place for place in range(1, 11)) / 100)


def test_the_first_of_several_tied_is_expected_earlier_than_one_alone() -> None:
    # Of three places, the first of two is at the first with 2/3 and at the second with 1/3.
    assert ranks_of([1, 1, 1], [0, 2], []).reciprocal_rank(3)[0] == pytest.approx(2 / 3 + 1 / 3 / 2)


def test_thousands_of_ties_are_as_exact_as_few() -> None:
    ranks = ranks_of([0.0] * 5000, list(range(0, 5000, 5)), [])
    assert ranks.precision(50)[0] == pytest.approx(0.2)
    # Nearly independent draws: the first hit at place p with probability 0.8 ** (p − 1) · 0.2.
    alone = sum(0.8 ** (place - 1) * 0.2 / place for place in range(1, 51))
    assert ranks.reciprocal_rank(50)[0] == pytest.approx(alone, rel=1e-3)
    assert ranks.average_precision(1)[0] == pytest.approx(0.2)


def test_seen_items_do_not_take_places() -> None:
    assert ranks_of([9, 8, 7, 1], [3], [0, 1, 2]).ndcg(1)[0] == 1


def test_beyond_its_depth_nothing_is_said() -> None:
    ranks = rank(Fixed(np.array([[3, 1, 2]], np.float32)), np.array([0]), Ragged.of([[1]]), Ragged.of([[0]]), depth=2)
    for metric in METRICS:
        with pytest.raises(ValueError, match="ranked to a depth of 2, so nothing is known of the first 3"):
            metric(ranks, 3)


def test_nobody_to_judge_is_nothing_to_count() -> None:
    nobody, nothing = np.empty(0, np.int64), Ragged.of([])
    for predictor in (Fixed(np.zeros((2, 3), np.float32)), FixedForAll(np.zeros(3, np.float32))):
        assert list_counts(predictor, nobody, Ragged.of([[], [1]]), 2).tolist() == [0, 0, 0]
        assert len(rank(predictor, nobody, nothing, Ragged.of([[], [1]])).n_better) == 0


def test_scores_of_the_predictor_stay_as_they_were() -> None:
    scores = np.array([[3, 1, 2]], np.float32)
    rank(Fixed(scores), np.array([0]), Ragged.of([[1]]), Ragged.of([[0]]))
    assert scores.tolist() == [[3, 1, 2]]


def test_errors_in_rating_units() -> None:
    errors = np.array([3, -4, 0, 0], np.float32)
    assert rmse(errors) == 2.5
    assert mae(errors) == 1.75


def test_biases_solve_the_damped_least_squares() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([(user, item) for user in range(12) for item in range(9) if rng.random() < 0.7])
    ratings = table(rows[:, 0], rows[:, 1], rng.integers(1, 6, len(rows)), 12, 9)
    baseline = fit_biases(ratings)
    design = np.zeros((len(rows), 21))
    design[np.arange(len(rows)), rows[:, 0]] = design[np.arange(len(rows)), 12 + rows[:, 1]] = 1
    solved = np.linalg.solve(design.T @ design + 10 * np.eye(21), design.T @ (ratings.values - baseline.global_bias))
    np.testing.assert_allclose(np.concatenate([baseline.user_biases, baseline.item_biases]), solved, atol=1e-3)
    predicted = BiasOnly(baseline).predict(rows[:, 0], rows[:, 1])
    np.testing.assert_allclose(predicted, baseline.global_bias + design @ solved, atol=2e-3)


def test_the_most_popular_are_those_with_the_most_ratings() -> None:
    popular = MostPopular(np.array([1, 5, 3], np.float32), 3.5)
    assert popular.scores(np.array([0, 1])).tolist() == [[1, 5, 3]] * 2
    assert popular.predict(np.array([0, 1]), np.array([2, 2])).tolist() == [3.5, 3.5]
