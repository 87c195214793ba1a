"""`matinee sample`."""

import time
from pathlib import Path

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from matinee.command import Result
from matinee.settings import Command, progress_console
from training.artefact import draft_beside, place, sync
from training.errors import PlaceTakenError, TrainingError
from training.synthetic.world import Shape
from training.synthetic.write import FILES, write_sample


class Sample(Command):
    """Write synthetic ratings shaped like MovieLens, with tastes in them that a model can find.

    OUT gets ratings.csv, movies.csv and a README.txt. Users like some genres more than others; popularity and activity
    have MovieLens's heavy tails. The same numbers and seed give the same bytes.
    """

    examples = """
    examples:
      matinee sample ratings
      matinee sample big --n-users 138493 --n-items 26744 --n-ratings 20000263    the shape of MovieLens 20M
    """

    out: CliPositionalArg[Path]
    """The folder to write."""

    n_users: int = Field(default=2_000, ge=1)
    """How many users; each has at least one rating, and 20 where that is possible."""

    n_items: int = Field(default=1_000, ge=1)
    """How many items; each has at least one rating."""

    n_ratings: int = Field(default=100_000, ge=1)
    """How many ratings, no two of the same user and item."""

    seed: int = Field(default=42, ge=0)
    """Another seed, another world."""

    overwrite: bool = False
    """Replace an earlier sample at OUT."""

    def run(self) -> Result:
        """Write the folder, whole or not at all."""
        shape = Shape(self.n_users, self.n_items, self.n_ratings)
        _check_free(self.out, self.overwrite)
        console = progress_console()
        console.print("These ratings are synthetic: no such people, films or opinions exist.", highlight=False)
        began = time.monotonic()
        self.out.parent.mkdir(parents=True, exist_ok=True)
        bar = Progress("writing ratings", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)
        with draft_beside(self.out) as draft, bar:
            task = bar.add_task("", total=shape.n_ratings)
            write_sample(draft, shape, self.seed, lambda n_written: bar.advance(task, n_written))
            for file in FILES:
                sync(draft / file)
            place(draft, self.out)
        return {
            "folder": str(self.out),
            "synthetic": True,
            "n_users": shape.n_users,
            "n_items": shape.n_items,
            "n_ratings": shape.n_ratings,
            "seed": self.seed,
            "duration_s": round(time.monotonic() - began, 2),
        }

    def show(self, result: Result, console: Console) -> None:
        """Where it lies, and what to do next."""
        console.print(
            f"{result['folder']}: {result['n_ratings']:,} synthetic ratings of {result['n_items']:,} items "
            f"by {result['n_users']:,} users, in {result['duration_s']} s",
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"next: matinee train {result['folder']} embeddings", highlight=False, soft_wrap=True)


def _check_free(out: Path, overwrite: bool) -> None:
    """Raise TrainingError where `out` is in the way: a file, or a folder that is not an earlier sample to replace."""
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out}: is a file; choose another place")
    if not out.exists() or not (names := {path.name for path in out.iterdir()}):
        return
    if not overwrite:
        raise PlaceTakenError(out)
    if names != set(FILES):
        raise TrainingError(f"{out}: holds more than an earlier sample, so it is not overwritten; choose another place")
