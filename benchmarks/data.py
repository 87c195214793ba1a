"""The ratings of every benchmark and their split, made once and kept under build/.

    python -m benchmarks.data SOURCE FOLDER

writes train.csv and test.csv, the split that `training.data.split.random_split` makes with seed 42 and a tenth held
out (scikit-learn's `train_test_split(test_size=0.1, random_state=42)` on rows without repeated pairs), and known.csv:
train.csv without the 2 % that are new at a retraining.
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

    from training.data.ratings import read_ratings, write_ratings
    from training.data.split import random_split

    ratings = read_ratings(source)
    kept, held_out = random_split(len(ratings), TEST_FRACTION, SEED)
    train, test = ratings.subset(kept), ratings.subset(np.sort(held_out))
    known, _ = random_split(len(train), NEW_FRACTION, SEED)
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in ((train, "train"), (test, "test"), (train.subset(known), "known")):
        write_ratings(part, folder / f"{name}.csv")
    counts = {"n_train": len(train), "n_test": len(test), "n_users": ratings.n_users, "n_items": ratings.n_items}
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
