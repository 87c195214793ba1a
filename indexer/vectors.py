"""Vectors as the index holds them: the item's bias is one more column, and zeros fill up to a width that suits SIMD.

    item vector = [item_embedding, item_bias, 0 …]      query = [user_embedding, w, 0 …]
    query · item vector = user_embedding · item_embedding + w · item_bias

For w = 1 this plus global_bias + user_bias is the model's score: the predicted rating, or the preference of a model
fit to rank. Where all item biases are 0, as in the latter, w changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# At widths that are not a multiple of 8, FAISS's scalar quantisers fall off their SIMD path.
WIDTH_STEP = 8


def padded_width(dim: int) -> int:
    """The columns of an item vector: `dim`, one for the bias, and zeros up to a multiple of WIDTH_STEP."""
    return -(-(dim + 1) // WIDTH_STEP) * WIDTH_STEP


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
    lengths = np.sqrt(np.einsum("ij,ij->i", item_embeddings, item_embeddings, dtype=np.float64))[:, np.newaxis]
    vectors = np.zeros((n_items, width), np.float32)
    np.divide(item_embeddings, lengths, out=vectors[:, :dim], where=lengths > 0, casting="same_kind")
    return vectors
