"""Embeddings of any size that look trained: python -m benchmarks.vectors TRAINED OUT N_ITEMS.

The items of TRAINED as they are, and copies of them, each moved by noise of 0.3 standard deviations a column, so that
near ones lie as close to each other as items that are alike do. The users, and what they have seen, stay as they are.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.columns import Ids, Ragged, Strings
from training.embeddings import Embeddings, open_embeddings, write_embeddings

_NOISE, _SEED, _BLOCK = 0.3, 7, 1 << 17


def grown(trained: Embeddings, n_items: int, folder: Path) -> Embeddings:
    """`trained` with `n_items` items; their vectors lie in `folder`."""
    shape = n_items, trained.dim
    vectors = np.lib.format.open_memmap(folder / "grown.npy", "w+", np.float32, shape)
    biases = np.empty(n_items, np.float32)
    rng = np.random.default_rng(_SEED)
    for start in range(0, n_items, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n_items))
        vectors[rows] = _moved(trained.item_embeddings, rows, rng)
        biases[rows] = _moved(trained.item_biases[:, np.newaxis], rows, rng)[:, 0]
    catalogue = replace(
        trained.catalogue,
        item_ids=Ids(np.arange(n_items)),
        item_titles=_empty(n_items),
        item_tags=Ragged(np.zeros(n_items + 1, np.int64), np.empty(0, np.int32)),
    )
    return replace(
        trained, item_embeddings=vectors, item_biases=biases, catalogue=catalogue, baseline=None, content_sha256=""
    )


def _moved(real: NDArray[np.float32], rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    noise = rng.standard_normal((len(rows), real.shape[1]), np.float32) * real.std(axis=0) * np.float32(_NOISE)
    return real[rows % len(real)] + np.where((rows >= len(real))[:, np.newaxis], noise, 0)


def _empty(n: int) -> Strings:
    return Strings(np.zeros(n + 1, np.int64), np.empty(0, np.uint8))


def main() -> None:
    """Grow one; its counts on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("n_items", type=int)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        embeddings = grown(open_embeddings(options.trained), options.n_items, Path(folder))
        write_embeddings(embeddings, options.out, overwrite=True)
    json.dump({"n_items": embeddings.n_items, "n_users": embeddings.n_users}, sys.stdout)


if __name__ == "__main__":
    main()
