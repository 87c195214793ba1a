"""Each solved row against the normal equations in float64, and the objective of a sweep against its docstring."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.training.tastes import two_tastes
from training.data.ratings import Ratings
from training.fitting.config import FitConfig
from training.fitting.interactions import Interactions
from training.fitting.least_squares import Side, Touched
from training.fitting.objectives import Objective, first_rows, objective_of
from training.fitting.problem import Problem


@dataclass(frozen=True)
class Puzzle:
    """Rows to solve for, of what they touched; some touched nothing, some more than the width, some less."""

    interactions: Interactions
    fixed: NDArray[np.float32]
    first: NDArray[np.float32]
    free: NDArray[np.float32]
    penalties: NDArray[np.float32]

    @classmethod
    def of(cls, counts: list[int], n_others: int, free: list[int], penalty: float, seed: int) -> "Puzzle":
        rng = np.random.default_rng(seed)
        rows = np.repeat(np.arange(len(counts), dtype=np.int32), np.minimum(counts, n_others))
        touched = [rng.choice(n_others, min(count, n_others), replace=False) for count in counts]
        columns = np.concatenate([*touched, np.empty(0)]).astype(np.int32)
        targets = rng.normal(1, 1, len(rows)).astype(np.float32)
        order = rng.permutation(len(rows))
        return cls(
            Interactions.of(rows[order], columns[order], targets[order], len(counts)),
            fixed=rng.normal(size=(n_others, len(free))).astype(np.float32),
            first=rng.normal(size=(len(counts), len(free))).astype(np.float32),
            free=np.array(free, np.float32),
            penalties=(penalty * rng.uniform(0.5, 2, len(counts))).astype(np.float32),
        )

    def solved(self, unseen_weight: float = 0.0) -> tuple[Side, Side, float, list[int]]:
        """The side that was solved for, the other, the residual and what the progress was told."""
        width, advances = len(self.free), list[int]()
        nobody = np.empty(0, np.int32)
        nothing = Interactions.of(nobody, nobody, np.empty(0, np.float32), len(self.fixed))
        other = Side(Touched(nothing, width), self.fixed, self.free, np.ones(len(self.fixed), np.float32))
        side = Side(Touched(self.interactions, width), self.first, self.free, self.penalties)
        return side, other, side.solve(other, unseen_weight, advances.append), advances

    def oracle(self, row: int, unseen_weight: float = 0.0) -> NDArray[np.float64]:
        """The normal equations of one row, over all pairs: what it did not touch has the target 0 and little weight."""
        free, everything = self.free > 0, self.fixed.astype(np.float64)
        mine = slice(*self.interactions.offsets[row : row + 2])
        features, targets = everything[self.interactions.columns[mine]], self.interactions.targets[mine]
        gram = (
            features.T @ features + unseen_weight * everything.T @ everything + self.penalties[row] * np.eye(len(free))
        )
        right = features.T @ (targets - features[:, ~free].sum(1))
        solution = np.ones(len(free))
        solution[free] = np.linalg.solve(gram[np.ix_(free, free)], right[free])
        return solution


def puzzles(columns: st.SearchStrategy[list[int]]) -> st.SearchStrategy[Puzzle]:
    counts = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 90)), min_size=1, max_size=30).filter(any)
    penalty = st.sampled_from([0.05, 1.0, 30.0])
    return st.builds(Puzzle.of, counts, st.integers(1, 90), columns, penalty, st.integers(0, 2**16))


SOME_CONSTANT = st.lists(st.integers(0, 1), min_size=1, max_size=20).filter(any)
ALL_FREE = st.integers(1, 20).map(lambda width: [1] * width)


@settings(max_examples=40, deadline=None)
@given(puzzles(SOME_CONSTANT))
def test_every_row_solves_its_normal_equations_and_one_without_interactions_stays(puzzle: Puzzle) -> None:
    side, other, _, _ = puzzle.solved()
    for row, count in enumerate(puzzle.interactions.counts):
        expected = puzzle.oracle(row) if count else puzzle.first[row]
        np.testing.assert_allclose(side.rows[row], expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(other.rows, puzzle.fixed)


@settings(max_examples=40, deadline=None)
@given(puzzles(ALL_FREE), st.sampled_from([0.01, 0.3, 1.0]))
def test_with_a_weight_of_unseen_pairs_products_are_those_of_the_dense_problem(puzzle: Puzzle, weight: float) -> None:
    side, other, _, _ = puzzle.solved(weight)
    # Rows may be rotated together: their products are not.
    products = side.rows.astype(np.float64) @ other.rows.T
    for row in np.flatnonzero(puzzle.interactions.counts).tolist():
        expected = puzzle.fixed @ puzzle.oracle(row, weight)
        np.testing.assert_allclose(products[row], expected, rtol=5e-3, atol=5e-3)


@settings(max_examples=25, deadline=None)
@given(puzzles(SOME_CONSTANT))
def test_the_residual_is_that_of_the_rows_that_were_solved(puzzle: Puzzle) -> None:
    side, other, residual, advances = puzzle.solved()
    rows = np.repeat(np.arange(len(puzzle.first), dtype=np.int32), puzzle.interactions.counts)
    columns, targets = puzzle.interactions.columns, puzzle.interactions.targets
    products = np.einsum("nd,nd->n", side.rows[rows].astype(np.float64), puzzle.fixed[columns].astype(np.float64))
    assert residual == pytest.approx(np.sqrt(np.mean((targets - products) ** 2)), rel=1e-3, abs=2e-3)
    assert sum(advances) == len(columns)
    np.testing.assert_allclose(side.products(other, rows, columns), products, rtol=1e-3, atol=1e-3)


def test_a_row_is_the_same_whoever_is_beside_it() -> None:
    counts = [1, 2, 3, 40, 5, 200, 8, 9, 300]
    together = Puzzle.of(counts, 400, [1] * 8 + [0], 1.0, seed=3)
    side, _, _, _ = together.solved()
    for row in range(len(counts)):
        mine = slice(*together.interactions.offsets[row : row + 2])
        columns, targets = together.interactions.columns[mine], together.interactions.targets[mine]
        alone = Puzzle(
            Interactions.of(np.zeros(len(columns), np.int32), columns, targets, 1),
            together.fixed, together.first[[row]], together.free, together.penalties[[row]],
        )  # fmt: skip
        np.testing.assert_allclose(alone.solved()[0].rows[0], side.rows[row], rtol=1e-4, atol=1e-4)


def test_products_of_more_pairs_than_are_taken_at_a_time() -> None:
    side, other, _, _ = Puzzle.of([3] * 50, 40, [1] * 4, 1.0, seed=0).solved()
    rng = np.random.default_rng(0)
    rows, columns = (rng.integers(0, n, 300_001).astype(np.int32) for n in (50, 40))
    expected = np.einsum("nd,nd->n", side.rows[rows], other.rows[columns])
    np.testing.assert_allclose(side.products(other, rows, columns), expected, rtol=1e-4, atol=1e-5)


VALUES = {"rating": {"regularisation": 0.7}, "ranking": {"regularisation": 0.4, "unseen_weight": 0.1}}


def objective_value(ratings: Ratings, objective: Objective, values: dict[str, float], users: Any, items: Any) -> float:
    """What the head of `objectives` says is minimised, over dense arrays in float64."""
    users, items = users.astype(np.float64), items.astype(np.float64)
    shape = ratings.n_users, ratings.n_items
    rated, targets = np.zeros(shape, bool), np.zeros(shape)
    rated[ratings.user_rows, ratings.item_rows] = True
    targets[ratings.user_rows, ratings.item_rows] = objective.targets(ratings.values)
    weight, products = values.get("unseen_weight", 0.0), users @ items.T
    total = ((targets - products)[rated] ** 2).sum() + weight * (products**2).sum()
    for rows, free, n, n_others in (
        (users, objective.user_free, rated.sum(1), shape[1]),
        (items, objective.item_free, rated.sum(0), shape[0]),
    ):
        total += values["regularisation"] * (np.sqrt(n + weight * n_others) * ((rows * free) ** 2).sum(1)).sum()
    return float(total)


@pytest.mark.parametrize(("name", "values"), VALUES.items())
@pytest.mark.parametrize("dim", [2, 30])
def test_no_sweep_raises_the_objective_and_the_last_ones_rest_at_a_minimum(
    name: Any, values: dict[str, float], dim: int
) -> None:
    ratings = two_tastes(50, 30, share=0.3)
    objective = objective_of(ratings, FitConfig(objective=name, dim=dim))
    problem = Problem(ratings, slice(None), objective)
    users, items = problem.sides(first_rows(objective, 30, seed=1), values)
    costs, advances = [], list[int]()
    for _ in range(12):
        problem.sweep(users, items, values, advances.append)
        costs.append(objective_value(ratings, objective, values, users.rows, items.rows))
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(costs))
    assert sum(advances) == 12 * problem.work == 24 * len(ratings)
    for _ in range(100):
        problem.sweep(users, items, values, advances.append)
    least = objective_value(ratings, objective, values, users.rows, items.rows)
    assert least <= costs[-1] * (1 + 1e-5)
    rng = np.random.default_rng(0)
    for _ in range(5):
        beside = [
            side.rows + 0.01 * rng.normal(size=side.rows.shape) * free
            for side, free in ((users, objective.user_free), (items, objective.item_free))
        ]
        assert objective_value(ratings, objective, values, *beside) > least
