"""Vectors as the index holds them: the item's bias is one more column, and zeros fill up to a width that suits SIMD.

    item vector = [item_embedding, item_bias, 0, 0 …]      query = [user_embedding, w, 0, 0 …]
    query · item vector = user_embedding · item_embedding + w · item_bias

For w = 1 this plus global_bias + user_bias is the model's score: the predicted rating, or the preference of a model
fit to rank. Where all item biases are 0, as in the latter, w changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEAST_BIAS_WEIGHT, MOST_BIAS_WEIGHT = -1.0, 2.0
"""What w may be: from popularity turned round to twice its part in the score."""

_BLOCK_ROWS = 1 << 17
_SEED = 0

# At widths that are not a multiple of 8, FAISS's scalar quantisers fall off their SIMD path.
WIDTH_STEP = 8


def padded_width(dim: int) -> int:
    """The columns of an item vector: `dim`, the bias, one for an index, zeros up to a multiple of WIDTH_STEP."""
    return -(-(dim + 2) // WIDTH_STEP) * WIDTH_STEP


def augment(item_embeddings: Floats, item_biases: Floats) -> Floats:
    """Item vectors, float32 (n_items, width), from float32 (n_items, dim) and (n_items,)."""
    n_items, dim = item_embeddings.shape
    vectors = np.zeros((n_items, padded_width(dim)), np.float32)
    vectors[:, :dim] = item_embeddings
    vectors[:, dim] = item_biases
    return vectors


def query(user_embedding: Floats, width: int, item_bias_weight: float = 1.0) -> Floats:
    """What to search the item vectors with: float32 (…, width) from float32 (…, dim), one user or many."""
    *several, dim = user_embedding.shape
    vector = np.zeros((*several, width), np.float32)
    vector[..., :dim] = user_embedding
    vector[..., dim] = item_bias_weight
    return vector


def unit_rows(item_embeddings: Floats, width: int) -> Floats:
    """The embeddings at length 1, bias column 0: float32 (n_items, width); a row of zeros stays zeros.

    Their inner products are cosines.
    """
    n_items, dim = item_embeddings.shape
    # In float64 no square of a float32 overflows or vanishes.
    divisors = lengths(item_embeddings)[:, np.newaxis]
    vectors = np.zeros((n_items, width), np.float32)
    np.divide(item_embeddings, divisors, out=vectors[:, :dim], where=divisors > 0, casting="same_kind")
    return vectors


def save_item_vectors(item_embeddings: Floats, item_biases: Floats, path: Path) -> Floats:
    """Write what `augment` makes of all items to the `.npy` file `path`, block by block; mapped, read-only."""
    n_items, dim = item_embeddings.shape
    shape = n_items, padded_width(dim)
    # Not into a mapped file: where the disk is full, that kills the process.
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start, stop in _ranges(n_items):
            file.write(augment(item_embeddings[start:stop], item_biases[start:stop]).data)
    vectors: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    return vectors


@dataclass(frozen=True, eq=False)
class Source:
    """The vectors that an index is made over, block by block, so that they need never be in memory at once."""

    item_vectors: Floats
    """(n_items, width), as `augment` makes them."""
    dim: int
    """The columns of the embeddings."""
    unit: bool
    """Whether it is the embeddings at length 1, instead of the vectors as they are."""

    def __len__(self) -> int:
        return len(self.item_vectors)

    @property
    def width(self) -> int:
        """The columns of a vector."""
        return int(self.item_vectors.shape[1])

    def blocks(self) -> Iterator[Floats]:
        """All of them in order, each float32 (n, width)."""
        return (self._made(self.item_vectors[start:stop]) for start, stop in _ranges(len(self)))

    def sample(self, n: int) -> Floats:
        """At most n of them, always the same ones: float32 (n, width)."""
        return self._made(self.item_vectors[sampled(len(self), n)])

    def _made(self, vectors: Floats) -> Floats:
        return unit_rows(vectors[:, : self.dim], self.width) if self.unit else vectors


def sampled(n: int, n_sampled: int) -> NDArray[np.int64]:
    """At most `n_sampled` of the rows 0 … n − 1, ascending, always the same ones: int64."""
    if n_sampled >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(_SEED).choice(n, n_sampled, replace=False))


def lengths(vectors: Floats) -> NDArray[np.float64]:
    """The Euclidean length of each row of `vectors`, float32 (n, width): float64 (n,)."""
    found: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return found


def _ranges(n: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + _BLOCK_ROWS, n)) for start in range(0, n, _BLOCK_ROWS))
