"""Alternating least squares in TensorFlow: with one side's rows fixed, each row of the other has a closed form.

For a row x with features X (the other side's rows that it touched, one a line), targets t and a diagonal penalty D

    argmin_x  |t − X x|² + xᵀ D x  =  (XᵀX + D)⁻¹ Xᵀ t  =  D⁻¹ Xᵀ (X D⁻¹ Xᵀ + I)⁻¹ t

The first form, the primal, factors a matrix as wide as a row; the second, the dual, one as wide as the row has
interactions. Each row is solved by the smaller of the two, exactly, so that wide embeddings of short histories are
cheap: d² becomes min(d, n)² in what a row costs.

Under implicit feedback every pair counts, those that nobody touched with a target of 0 and the weight α (Hu, Koren and
Volinsky, "Collaborative filtering for implicit feedback datasets", 2008). They add α times the Gram matrix of all
fixed rows; in the basis of its eigenvectors it is diagonal, so that it joins D and both forms stand.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.fitting.interactions import Floats, Interactions, Schedule

_BATCH_FLOATS = 1 << 21
"""Gathered features at a time: 8 MiB, near what the caches hold."""
_PRODUCTS = 1 << 17
"""Pairs whose products are taken at a time."""
_BATCHES_A_CALL = 32
"""Between two looks at the progress bar, or at Ctrl-C."""


class Touched:
    """What the rows of one side touched, where TensorFlow computes; it serves any number of fits."""

    def __init__(self, interactions: Interactions, width: int) -> None:
        """For rows of `width` columns."""
        schedule = Schedule.of(interactions.counts, max(_BATCH_FLOATS // width, 1))
        self.counts = interactions.counts
        self.n = len(interactions.columns)
        self.batches = schedule.batches
        self.order = tf.constant(schedule.order)
        self.offsets = tf.constant(interactions.offsets)
        self.columns = tf.constant(interactions.columns)
        self.targets = tf.constant(interactions.targets)

    def stretches(self, width: int) -> Iterator[NDArray[np.int32]]:
        """A few batches at a time, all with rows shorter than `width` or all with longer ones."""
        first_long = int(np.searchsorted(self.batches[:, 2], width, side="right"))
        for part in (self.batches[:first_long], self.batches[first_long:]):
            for start in range(0, len(part), _BATCHES_A_CALL):
                yield part[start : start + _BATCHES_A_CALL]


class Side:
    """The users, or the items: their rows, and how each is penalised.

    A row's columns are solved for where `free` is 1 and hold the constant 1 where it is 0: with users as [p, b_u, 1]
    and items as [q, 1, b_i] a product of two rows is p · q + b_u + b_i, and either side's biases join its solve.
    """

    def __init__(self, touched: Touched, rows: Floats, free: Floats, penalties: Floats) -> None:
        """`rows` (n, width) to begin with, `free` (width,), `penalties` (n,) the diagonal of each row's D."""
        self._touched = touched
        self._free = tf.constant(free)
        self._penalties = tf.constant(penalties)
        # One row of zeros more: what the shorter rows of a batch are padded with.
        self._rows = tf.Variable(np.concatenate([rows, np.zeros((1, len(free)), np.float32)]))

    @property
    def rows(self) -> Floats:
        """(n, width), a copy."""
        rows: Floats = self._rows.numpy()
        return rows[:-1]

    def solve(self, other: "Side", unseen_weight: float, advance: Callable[[int], None]) -> float:
        """Solve every row for the rows of `other`; the root of the mean squared residual over the interactions.

        `advance` is told after each stretch how many interactions it had. Where `unseen_weight` α is not 0, the rows
        of `other` are rotated first; a product with rows solved for before the rotation means nothing.
        """
        touched, width = self._touched, len(self._free)
        unseen = _unseen_penalty(other._rows, unseen_weight) if unseen_weight else tf.zeros_like(self._free)
        squares = 0.0
        for batches in touched.stretches(width):
            solve = _solve_primal if batches[0, 2] > width else _solve_dual
            fixed = other._rows.value()
            interactions = touched.order, touched.offsets, touched.columns, touched.targets
            squares += float(solve(batches, interactions, fixed, self._rows, self._free, self._penalties, unseen))
            advance(int(touched.counts[touched.order.numpy()[batches[0, 0] : batches[-1, 1]]].sum()))
        return float(np.sqrt(squares / touched.n))

    def products(self, other: "Side", rows: NDArray[np.int32], other_rows: NDArray[np.int32]) -> Floats:
        """Row by row the products of rows of this side and of the other: float32 (n,)."""
        blocks = [slice(start, start + _PRODUCTS) for start in range(0, len(rows), _PRODUCTS)]
        parts = [_products(self._rows, other._rows, rows[block], other_rows[block]).numpy() for block in blocks]
        return np.concatenate(parts)


def _unseen_penalty(rows: tf.Variable, unseen_weight: float) -> Any:
    """Rotate `rows` so that their Gram matrix is diagonal; `unseen_weight` times its diagonal."""
    gram = tf.matmul(rows, rows, transpose_a=True)
    squares, basis = tf.linalg.eigh(tf.cast(gram, tf.float64))
    rows.assign(tf.matmul(rows, tf.cast(basis, tf.float32)))
    return tf.cast(unseen_weight * tf.maximum(squares, 0.0), tf.float32)


@tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _products(rows: Any, other_rows: Any, chosen: Any, other_chosen: Any) -> Any:
    return tf.reduce_sum(tf.gather(rows, chosen) * tf.gather(other_rows, other_chosen), 1)


def _solve_batches(
    form: Callable[..., Any],
    batches: Any,
    interactions: tuple[Any, Any, Any, Any],
    fixed: Any,
    solved: tf.Variable,
    free: Any,
    penalties: Any,
    unseen: Any,
) -> Any:
    """Assign the solutions of some batches to `solved`; the sum of the squared residuals."""
    order, offsets, columns, targets = interactions
    squares = tf.zeros((), tf.float64)
    padding = tf.shape(fixed)[0] - 1
    for batch in tf.range(tf.shape(batches)[0]):
        rows = order[batches[batch, 0] : batches[batch, 1]]
        first = tf.gather(offsets, rows)
        places = first[:, None] + tf.range(tf.cast(batches[batch, 2], tf.int64))
        real = places < tf.gather(offsets, rows + 1)[:, None]
        places = tf.minimum(places, tf.shape(columns, tf.int64)[0] - 1)
        features = tf.gather(fixed, tf.where(real, tf.gather(columns, places), padding))
        wanted = tf.where(real, tf.gather(targets, places), 0.0)
        penalty = tf.gather(penalties, rows)[:, None] + unseen
        values, squared_residuals = form(features, wanted, penalty, free)
        squares += tf.cast(tf.reduce_sum(squared_residuals), tf.float64)
        solved.scatter_update(tf.IndexedSlices(values, rows))
    return squares


def _primal(features: Any, wanted: Any, penalty: Any, free: Any) -> tuple[Any, Any]:
    """(XᵀX + D)⁻¹ Xᵀ t, the constant columns added: float32 (batch, width); and the squared residuals of each row.

    The residuals |t − X x|² = tᵀt − 2 xᵀ Xᵀt + xᵀ XᵀX x need no second pass over the features.
    """
    constant = 1.0 - free
    gram = tf.matmul(features, features, transpose_a=True)
    right = tf.linalg.matvec(features, wanted, transpose_a=True)
    normal = gram * (free[:, None] * free)
    normal = tf.linalg.set_diag(normal, tf.linalg.diag_part(normal) + penalty * free + constant)
    # What the constant columns contribute is known: it leaves the right side.
    known = tf.linalg.matvec(gram, tf.broadcast_to(constant, tf.shape(right)))
    solved = tf.linalg.cholesky_solve(tf.linalg.cholesky(normal), ((right - known) * free)[..., None])[..., 0]
    values = solved + constant
    squares = tf.reduce_sum(values * (tf.linalg.matvec(gram, values) - 2.0 * right), 1)
    # Where the fit is all but exact, rounding may leave less than nothing.
    return values, tf.maximum(tf.reduce_sum(tf.square(wanted), 1) + squares, 0.0)


def _dual(features: Any, wanted: Any, penalty: Any, free: Any) -> tuple[Any, Any]:
    """D⁻¹ Xᵀ (X D⁻¹ Xᵀ + I)⁻¹ t, the constant columns added, and the squared residuals: as of `_primal`.

    The residuals are (X D⁻¹ Xᵀ + I)⁻¹ t itself.
    """
    constant = 1.0 - free
    inverse = free / penalty
    kernel = tf.matmul(features * inverse[:, None], features, transpose_b=True)
    kernel = tf.linalg.set_diag(kernel, tf.linalg.diag_part(kernel) + 1.0)
    wanted -= tf.linalg.matvec(features, tf.broadcast_to(constant, tf.shape(penalty)))
    residuals = tf.linalg.cholesky_solve(tf.linalg.cholesky(kernel), wanted[..., None])[..., 0]
    values = inverse * tf.linalg.matvec(features, residuals, transpose_a=True) + constant
    return values, tf.reduce_sum(tf.square(residuals), 1)


# One graph for each form, whatever the shapes.
_solve_primal = tf.function(partial(_solve_batches, _primal), reduce_retracing=True)
_solve_dual = tf.function(partial(_solve_batches, _dual), reduce_retracing=True)
