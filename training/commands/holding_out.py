"""What every command that holds ratings out has alike: which ratings those are, and where they are written."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from matinee.errors import UsageError
from training.commands.reading import RatingsCommand
from training.data.ratings import Ratings, write_ratings
from training.data.split import Split, last_split, latest_split, random_split, split_at
from training.errors import PlaceTakenError

_NEEDED = {
    "random": ("test_fraction",),
    "last": ("test_last",),
    "time": ("test_fraction", "test_after"),
}
"""For each --test-split the flags of which one says how many ratings it holds out."""


class HoldingOut(RatingsCommand):
    """A command that keeps some ratings apart to measure on."""

    test: Path | None = None
    """Ratings to measure the finished model on; nothing is fitted to them or chosen by them."""

    test_split: Literal["random", "last", "time"] | None = None
    """Which ratings are held out: random = any, last = the last of each user, time = the latest of all.
    Absent: last with --test-last, time with --test-after, else random."""

    test_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Hold this part of the ratings out, at random by --seed or the latest, and measure the finished model on it."""

    test_last: int | None = Field(default=None, ge=1)
    """Hold so many of each user's last ratings out; users with no more than that keep theirs."""

    test_after: datetime | None = None
    """Hold all ratings from this moment on out: 2015-01-01, 2015-01-01T12:00 (UTC) or epoch seconds."""

    test_out: Path | None = None
    """CSV file to write the ratings to that are held out."""

    @property
    def split(self) -> Literal["random", "last", "time"] | None:
        """How ratings are held out of those to train on; None where none are."""
        if self.test_split is not None:
            return self.test_split
        if self.test_last is not None:
            return "last"
        if self.test_after is not None:
            return "time"
        return "random" if self.test_fraction is not None else None

    def check_holding_out(self, *, overwrite: bool) -> None:
        """Raise UsageError where the flags do not go together, PlaceTakenError where --test-out is there already."""
        given = [name for name in ("test_fraction", "test_last", "test_after") if getattr(self, name) is not None]
        if self.test is not None and (given or self.split):
            flags = _flags(given) or "--test-split"
            raise UsageError(f"--test and {flags} do not go together: both say which ratings are held out")
        if self.split is not None:
            _check_split(self.split, given)
        if self.test_out is None:
            return
        if self.split is None:
            raise UsageError("--test-out needs --test-fraction, --test-last or --test-after: what is to be held out")
        if self.test_out.is_dir():
            raise UsageError(f"--test-out is {self.test_out}, a folder; it must be a file")
        if self.test_out.exists() and not overwrite:
            raise PlaceTakenError(self.test_out)

    def read_divided(self, source: Path, seed: int) -> tuple[Ratings, Ratings | None]:
        """The ratings in `source` to train on, and those to test on or None; both in the order of their file.

        `seed` decides a random split. Raises RatingsError where the ratings can't be read or not be divided so.
        """
        ratings = self.read(source)
        if self.test is not None:
            return ratings, self.read(self.test, least=1)
        if self.split is None:
            return ratings, None
        kept, held_out = self._divided(ratings, seed)
        kept.sort()
        held_out.sort()
        return ratings.subset(kept), ratings.subset(held_out)

    def write_test(self, test: Ratings) -> None:
        """Write what was held out to --test-out, where that was asked for."""
        if self.test_out is not None:
            self.test_out.parent.mkdir(parents=True, exist_ok=True)
            write_ratings(test, self.test_out)

    def _divided(self, ratings: Ratings, seed: int) -> Split:
        if self.test_last is not None:
            return last_split(ratings, self.test_last)
        if self.test_after is not None:
            return split_at(ratings, _in_utc(self.test_after))
        if self.test_fraction is None:
            raise AssertionError("check_holding_out has proved that one of the three is there")
        if self.split == "time":
            return latest_split(ratings, self.test_fraction)
        return random_split(len(ratings), self.test_fraction, seed)


def _check_split(split: str, given: list[str]) -> None:
    needed = [name for name in given if name in _NEEDED[split]]
    if not needed:
        raise UsageError(f"--test-split {split} needs {_flags(_NEEDED[split], ' or ')}")
    if len(given) > 1:
        raise UsageError(f"{_flags(given)} do not go together: each says which ratings are held out")


def _flags(names: list[str] | tuple[str, ...], between: str = " and ") -> str:
    return between.join("--" + name.replace("_", "-") for name in names)


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
