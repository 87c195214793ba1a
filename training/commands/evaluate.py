"""`matinee evaluate`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from matinee.command import Result
from matinee.settings import progress_console
from training.commands.reading import RatingsCommand
from training.embeddings import PREFERENCES, Embeddings, open_embeddings
from training.evaluation.evaluate import HeldOut, How, Watch, measure
from training.evaluation.table import figures_table


class Evaluate(RatingsCommand):
    """Measure embeddings on held-out ratings, beside baselines.

    RMSE and MAE of predicted ratings, clipped to the rating scale; NDCG, recall, precision, MAP and MRR of the k best
    among all items that a user has not seen, equal scores sharing their positions; and what is recommended. Intervals
    of 95 % are over users. Bias only: b_u + b_i, fitted to the same ratings. Most popular: the items with the most
    ratings, and the mean rating as its prediction.

    Recall and MAP are over the relevant items that fit in a list, so that a perfect list has 1. Coverage: the share of
    all items that is in any list. Popularity: the share of items with fewer ratings than a recommended one, on
    average. Gini: 0 where all items are recommended equally often, 1 where one alone is.
    """

    examples = """
    examples:
      matinee train ml-latest-small embeddings --test-fraction 0.1 --test-out test.csv
      matinee evaluate embeddings test.csv
      matinee evaluate embeddings test.csv --k 10 --k 20 --json
      matinee evaluate embeddings test.csv --users 10000
      matinee evaluate embeddings test.csv --report report.html
    """

    embeddings: CliPositionalArg[Path]
    """Folder that matinee train wrote."""

    test: CliPositionalArg[Path]
    """Ratings that the model was not trained on: a file, a .zip, or a folder that holds one."""

    k: list[Annotated[int, Field(ge=1)]] = Field(default=[10], min_length=1)
    """How many items a list has; may be given more than once."""

    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """An item is relevant where the user rated it so or higher; absent: three quarters up the scale, 4 of 5 stars."""

    users: int | None = Field(default=None, ge=1)
    """Judge the rankings of so many users, drawn at random by --seed, rather than of all."""

    seed: int = Field(default=42, ge=0)
    """Of the draw of --users."""

    report: Path | None = None
    """HTML file to write a report with charts to."""

    overwrite: bool = False
    """Replace an earlier report."""

    def run(self) -> Result:
        """The figures."""
        if self.report is not None:
            from training.evaluation.report.html import check_report_place

            check_report_place(self.report, overwrite=self.overwrite)
        embeddings = open_embeddings(self.embeddings)
        held_out = HeldOut.of(self.read(self.test, least=1), embeddings.catalogue)
        result = self._measure(embeddings, held_out)
        if self.report is not None:
            from training.evaluation.report.page import write_report

            with progress_console().status(f"writing {self.report}"):
                write_report(self.report, embeddings, held_out, result, overwrite=self.overwrite)
        return result

    def show(self, result: Result, console: Console) -> None:
        """One table, and what it was measured on."""
        figures: dict[str, Any] = dict(result)
        console.print(figures_table(figures["rows"]))
        for line in _notes(figures):
            console.print(line, highlight=False, soft_wrap=True)
        if self.report is not None:
            console.print(f"report written to {self.report}", highlight=False, markup=False, soft_wrap=True)

    def _measure(self, embeddings: Embeddings, held_out: HeldOut) -> dict[str, Any]:
        with _ranking_progress() as watch:
            return measure(embeddings, held_out, How(self.k, self.threshold, self.users, self.seed), watch)


@contextmanager
def _ranking_progress() -> Iterator[Watch]:
    """A bar for each contestant on standard error, over the users that it ranks for."""
    columns = ("ranking by {task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def watch(name: str, n_users: int, n_more: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=n_users)
            bar.advance(tasks[name], n_more)

        yield watch


def _notes(result: Mapping[str, Any]) -> Iterator[str]:
    """What the figures were measured on."""
    low, high = result["rating_scale"]
    cold = f"; {result['n_cold']:,} of them of users or items without a rating in training" if result["n_cold"] else ""
    yield (
        f"{result['n_ratings']:,} ratings{cold}; predictions clipped to {low:g} … {high:g}; "
        f"left out: {result['n_unknown']:,} of unknown users or items, {result['n_seen']:,} trained on"
    )
    n_users, n_relevant = result["rows"][0]["n_users"], result["n_relevant_users"]
    drawn = f"{n_users:,} users, drawn at random from {n_relevant:,}" if n_users < n_relevant else f"{n_users:,} users"
    yield f"rankings of all unseen items for {drawn} with an item rated {result['threshold']:g} or more"
    if result["scores"] == PREFERENCES:
        yield "no RMSE or MAE of the model: it was fitted to rank, and its scores are preferences, not ratings"
