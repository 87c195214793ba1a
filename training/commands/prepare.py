"""`matinee prepare`."""

import time
from pathlib import Path

from pydantic_settings import CliPositionalArg
from rich.console import Console

from matinee.command import Result
from matinee.errors import UsageError
from matinee.settings import progress_console
from training.commands.reading import ColumnsCommand, reading_progress
from training.data.prepared import is_prepared
from training.data.preparing import prepare, workplace


class Prepare(ColumnsCommand):
    """Parse ratings once, into a folder that every command opens without parsing and without holding it in memory.

    OUT takes the place of RATINGS wherever ratings are read, and the same split holds out the same of them. It takes
    about 20 bytes a rating, twice that while it is made. Where the command was cut off, the same command goes on; what
    was parsed lies beside OUT until then, in .OUT.prepare.
    """

    examples = """
    examples:
      matinee prepare ml-32m.zip ml-32m-prepared
      matinee train ml-32m-prepared embeddings --test-fraction 0.1
      matinee prepare plays.parquet plays --user-column listener --item-column track --rating-column stars
    """

    ratings: CliPositionalArg[Path]
    """A file of ratings, a .zip, or a folder that holds one."""

    out: CliPositionalArg[Path]
    """Folder to write."""

    overwrite: bool = False
    """Replace what an earlier run wrote there."""

    def run(self) -> Result:
        """Parse, join, write; the counts."""
        if is_prepared(self.ratings):
            raise UsageError(f"{self.ratings} is prepared already: every command takes it as it is")
        began = time.monotonic()
        console = progress_console()
        try:
            with reading_progress(self.ratings) as watch:
                prepared = prepare(self.ratings, self.out, self.columns, watch, overwrite=self.overwrite)
        finally:
            if workplace(self.out).exists():
                console.print(
                    f"what is parsed so far stays in {workplace(self.out)}: the same command goes on from there",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
        manifest = prepared.manifest
        for remark in manifest["remarks"]:
            console.print(remark, highlight=False, markup=False, soft_wrap=True)
        counts = {name: manifest[name] for name in ("n_ratings", "n_users", "n_items", "n_repeated")}
        return {
            "ratings": str(self.out),
            **counts,
            "fingerprint": manifest["data_fingerprint"],
            "n_bytes": sum(file["bytes"] for file in manifest["files"].values()),
            "n_parts": prepared.n_parts,
            "n_parts_found": prepared.n_parts_found,
            "duration_s": round(time.monotonic() - began, 2),
        }

    def show(self, result: Result, console: Console) -> None:
        """Where it lies, and what to do next."""
        console.print(
            f"{self.out}: {result['n_ratings']:,} ratings of {result['n_items']:,} items by {result['n_users']:,} "
            f"users, in {result['duration_s']} s",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        console.print(f"next: matinee train {self.out} embeddings", highlight=False, markup=False, soft_wrap=True)
