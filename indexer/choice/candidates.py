"""The kinds of index that make sense for so many vectors of such a width."""

import math

from indexer.keys import FLAT, Family, IndexKey, checked_key

_SMALL, _MIDDLE, _LARGE = 2_000, 200_000, 2_000_000
# Of more lists the centroids take too long to train; FAISS wants so many vectors for each.
_LARGEST_NLIST, _LEAST_TRAINING = 4_096, 39


def candidate_keys(n_items: int, width: int) -> list[IndexKey]:
    """The keys worth trying for (n_items, width), Flat first: nothing else is exact by itself, and all are held to it.

    Of few vectors nothing beats looking at all; graphs of many take too long to build, and codes of 4 bits tell too few
    of them apart; of very many whole vectors take too much memory.
    """
    codes = f"PQ{width // 2}x4fs"
    lists = f"Equalised,IVF{_nlist(n_items)}"
    if n_items < _SMALL:
        texts = [FLAT]
    elif n_items < _MIDDLE:
        parts = [f"{lists},Flat", f"{lists},SQfp16", f"{lists},{codes}"]
        texts = [FLAT, "SQfp16", "SQ8", codes, "HNSW32", "Equalised,HNSW32", *parts]
    elif n_items < _LARGE:
        texts = [FLAT, f"{lists},Flat", f"{lists},SQfp16"]
    else:
        texts = [FLAT, f"{lists},SQfp16", f"{lists},SQ8"]
    return [checked_key(text, n_items, width) for text in texts]


def predicted_bytes(key: IndexKey, n_items: int, width: int) -> int:
    """About how large the file of the index will be."""
    each = -(-key.m // 2) if key.m else {"SQfp16": 2, "SQ8": 1}.get(key.quantiser, 4) * width
    if key.family is Family.LISTS:
        return n_items * (each + 8) + 4 * width * key.nlist
    # A graph has its links in 4 bytes each, and of each vector a level and an offset.
    return n_items * (each + (8 * key.links + 12 if key.links else 0))


def _nlist(n_items: int) -> int:
    """The power of two next to twice the square root: as long to find the lists as to look into some of them."""
    nlist = 1 << round(math.log2(2 * math.sqrt(n_items)))
    while nlist > _LARGEST_NLIST or nlist * _LEAST_TRAINING > n_items:
        nlist //= 2
    return max(nlist, 1)
