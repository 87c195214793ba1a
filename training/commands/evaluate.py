"""`matinee evaluate`."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.table import Table

from matinee.command import Result
from matinee.settings import progress_console
from training.commands.reading import RatingsCommand
from training.embeddings import open_embeddings
from training.evaluation.evaluate import evaluate


class Evaluate(RatingsCommand):
    """Measure embeddings on held-out ratings, beside baselines.

    RMSE and MAE of predicted ratings, clipped to the rating scale; NDCG and recall of the k best among all items that
    a user has not seen. Equal scores share their positions. Bias only: b_u + b_i, fitted to the same ratings. Most
    popular: the items with the most ratings, and the mean rating as its prediction.
    """

    examples = """
    examples:
      matinee train ml-latest-small embeddings --test-fraction 0.1 --test-out test.csv
      matinee evaluate embeddings test.csv
      matinee evaluate embeddings test.csv --k 10 --k 20 --json
    """

    embeddings: CliPositionalArg[Path]
    """Folder that matinee train wrote."""

    test: CliPositionalArg[Path]
    """Ratings that the model was not trained on: a file, a .zip, or a folder that holds one."""

    k: list[Annotated[int, Field(ge=1)]] = Field(default=[10], min_length=1)
    """How many items a list has; may be given more than once."""

    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """An item is relevant where the user rated it so or higher; absent: three quarters up the scale, 4 of 5 stars."""

    def run(self) -> Result:
        """The figures."""
        embeddings = open_embeddings(self.embeddings)
        test = self.read(self.test, least=1)
        with progress_console().status(f"ranking {embeddings.n_items:,} items"):
            return evaluate(embeddings, test, self.k, self.threshold)

    def show(self, result: Result, console: Console) -> None:
        """One table, and what it was measured on."""
        figures: dict[str, Any] = dict(result)
        rows = figures["rows"]
        names = [name for name in rows[0] if name not in ("name", "n_users")]
        table = Table()
        table.add_column()
        for name in names:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(row["name"], *(f"{row[name]:.4f}" for name in names))
        console.print(table)
        low, high = figures["rating_scale"]
        console.print(
            f"{figures['n_ratings']:,} ratings; predictions clipped to {low:g} … {high:g}; "
            f"left out: {figures['n_unknown']:,} of unknown users or items, {figures['n_seen']:,} trained on\n"
            f"rankings of all unseen items for {rows[0]['n_users']:,} users with an item rated "
            f"{figures['threshold']:g} or more",
            highlight=False,
            soft_wrap=True,
        )
