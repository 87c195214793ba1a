"""The ratings of every benchmark and their split, made once and kept under build/.

    python -m benchmarks.data SOURCE FOLDER

SOURCE is a CSV file, or a folder with a ratings.csv, whose ids are integers. Its rows are split as they stand, repeated
pairs included, by `training.data.split.random_split` with seed 42 and a tenth held out: scikit-learn's
`train_test_split(test_size=0.1, random_state=42)`. FOLDER gets train.csv; test.csv, without pairs that train.csv has
too; and known.csv, train.csv without the 2 % that are new at a retraining.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.process import matinee, measured

TEST_FRACTION, NEW_FRACTION, SEED = 0.1, 0.02, 42
BUILD = Path("build/benchmarks")

_SHARED = Path("../shared/data")
_REAL = {"ml-latest-small": _SHARED / "ml-latest-small", "goodbooks-10k": _SHARED / "goodbooks-10k-v1"}
_SYNTHETIC = "synthetic-20m"
_SHAPE = ("--n-users", "138493", "--n-items", "26744", "--n-ratings", "20000263", "--seed", "1")
_COLUMNS = {"userId": "user_id", "movieId": "item_id", "book_id": "item_id"}
NAMES = (*_REAL, _SYNTHETIC)


@dataclass(frozen=True)
class Data:
    """One set of ratings, divided."""

    name: str
    """As in the tables."""
    folder: Path
    """Where the parts are, and what is made of them."""
    n_train: int
    """How many ratings are trained on."""
    n_test: int
    """How many are held out."""
    n_users: int
    """In both parts together."""
    n_items: int
    """In both parts together."""

    @property
    def train(self) -> Path:
        """CSV of what is trained on."""
        return self.folder / "train.csv"

    @property
    def test(self) -> Path:
        """CSV of what is held out."""
        return self.folder / "test.csv"

    @property
    def known(self) -> Path:
        """CSV of what was there before the newest 2 % of `train`."""
        return self.folder / "known.csv"


def prepared(name: str, console: Console) -> Data | None:
    """The data called `name`, or found there, in parts; None, and a word about it, where it is missing here."""
    folder = BUILD / Path(name).name
    source = folder / "source" if name == _SYNTHETIC else _REAL.get(name, Path(name))
    if name == _SYNTHETIC and not source.exists():
        console.print(f"making {name}: {' '.join(_SHAPE)}", highlight=False)
        matinee("sample", source, *_SHAPE)
    if not source.exists():
        console.print(f"{name} is left out: there is no {source}", highlight=False)
        return None
    if not (folder / "counts.json").exists():
        measured("benchmarks.data", source, folder)
    return Data(Path(name).name, folder, **json.loads((folder / "counts.json").read_text()))


def divide(source: Path, folder: Path) -> dict[str, int]:
    """Write the three parts of `source`, and their counts last: where they are, all is."""
    # Imported here so that who only asks for the parts stays small: see benchmarks.process.
    import numpy as np
    import pandas as pd

    from training.data.split import random_split

    ratings = pd.read_csv(source / "ratings.csv" if source.is_dir() else source).rename(columns=_COLUMNS)
    kept, held_out = random_split(len(ratings), TEST_FRACTION, SEED)
    pairs = (ratings["user_id"] * (ratings["item_id"].max() + 1) + ratings["item_id"]).to_numpy()
    held_out = np.sort(held_out[~np.isin(pairs[held_out], pairs[kept])])
    known, _ = random_split(len(kept), NEW_FRACTION, SEED)
    folder.mkdir(parents=True, exist_ok=True)
    for rows, name in ((kept, "train"), (held_out, "test"), (kept[known], "known")):
        ratings.iloc[rows].to_csv(folder / f"{name}.csv", index=False)
    counts = {
        "n_train": len(kept),
        "n_test": len(held_out),
        "n_users": ratings["user_id"].nunique(),
        "n_items": ratings["item_id"].nunique(),
    }
    (folder / "counts.json").write_text(json.dumps(counts) + "\n")
    return counts


def main() -> None:
    """Divide one source; its counts on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    json.dump(divide(options.source, options.folder), sys.stdout)


if __name__ == "__main__":
    main()
