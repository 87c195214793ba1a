"""What both commands that import have alike."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from matinee.command import Result
from matinee.settings import progress_console
from training.artefact import check_place
from training.commands.reading import RatingsCommand
from training.embeddings import write_embeddings
from training.importing.assembly import Beside, Model, assembled


class ImportCommand(RatingsCommand):
    """A command that writes embeddings of what another program trained."""

    ratings: Path | None = None
    """Ratings that the model was trained on: a file, a .zip, or a folder that holds one."""

    overwrite: bool = False
    """Replace what is there."""

    def write(self, model: Model, out: Path, description: dict[str, Any]) -> Result:
        """Write the embeddings of `model`; what was written. `check_free` comes first, before long reading."""
        ratings = None if self.ratings is None else self.read(self.ratings, least=1)
        embeddings, remarks = assembled(model, Beside(ratings, self.ratings, self.columns), description)
        write_embeddings(embeddings, out, overwrite=self.overwrite)
        for remark in remarks:
            progress_console().print(remark, highlight=False, markup=False, soft_wrap=True)
        return {
            "embeddings": str(out),
            "n_users": embeddings.n_users,
            "n_items": embeddings.n_items,
            "dim": embeddings.dim,
            "n_seen": len(embeddings.catalogue.seen.rows),
            "n_titles": int(np.count_nonzero(np.diff(embeddings.catalogue.item_titles.offsets))),
            "remarks": remarks,
            **embeddings.description,
        }

    def check_free(self, out: Path) -> None:
        """Refuse a place that can't be written to."""
        check_place(out, overwrite=self.overwrite)

    def show(self, result: Result, console: Console) -> None:
        """What was imported, and what to do next."""
        out, counts = result["embeddings"], f"{result['n_items']:,} items and {result['n_users']:,} users"
        known = f"{result['n_seen']:,} seen items, {result['n_titles']:,} titles"
        for line in (f"{out}: {counts}, {result['dim']} wide; {known}", f"next: matinee index {out} store"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
