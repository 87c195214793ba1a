"""`matinee ratings`."""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import CliPositionalArg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from matinee.command import Result
from training.commands.reading import RatingsCommand
from training.data.summary import Statistics, history, summarise


class RatingsSummary(RatingsCommand):
    """Summarise ratings, or show what one user rated best.

    Reads MovieLens in all its forms (ratings.csv, rating.csv, ratings.dat, u.data), other CSV and Parquet files by
    column names, and .gz and .zip of these.
    """

    examples = """
    examples:
      matinee ratings ml-latest-small
      matinee ratings ml-20m.zip --json
      matinee ratings ml-latest-small --user-id 1 --k 5
      matinee ratings plays.parquet --user-column listener --item-column track --rating-column stars
    """

    ratings: CliPositionalArg[Path]
    """A file of ratings, a .zip, or a folder that holds one."""

    user_id: str | None = None
    """Show this user's ratings instead, the best first, the latest first among equals."""

    k: int = Field(default=10, ge=1)
    """How many of the user's ratings to show."""

    def run(self) -> Result:
        """The summary, or the user's ratings."""
        ratings = self.read(self.ratings, least=1)
        if self.user_id is None:
            return summarise(ratings)
        return {"user_id": self.user_id, "items": history(ratings, self.user_id, self.k)}

    def show(self, result: Result, console: Console) -> None:
        """One or two tables."""
        if self.user_id is None:
            _show_summary(dict(result), console)
        else:
            _show_history(dict(result), console)


def _show_summary(result: dict[str, Any], console: Console) -> None:
    console.print(f"{result['n_ratings']:,} ratings of {result['n_items']:,} items by {result['n_users']:,} users")
    console.print(f"{result['n_titles']:,} items have a title; {result['n_repeated']:,} repeated ratings were dropped")
    kinds: dict[str, Statistics] = {
        "rating": result["rating"],
        "ratings per user": result["ratings_per_user"],
        "ratings per item": result["ratings_per_item"],
    }
    table = Table()
    table.add_column()
    for name in kinds:
        table.add_column(name, justify="right")
    for statistic in result["rating"]:
        table.add_row(statistic, *(_number(kind[statistic]) for kind in kinds.values()))
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


def _show_history(result: dict[str, Any], console: Console) -> None:
    # Texts, since to rich a title such as [REC] in a string would be markup.
    table = Table(title=Text(f"user {result['user_id']}"), title_justify="left")
    table.add_column("rating", justify="right")
    table.add_column("item_id")
    table.add_column("title")
    table.add_column("tags")
    for item in result["items"]:
        cells = (f"{item['rating']:g}", item["item_id"], item["title"], ", ".join(item["tags"]))
        table.add_row(*map(Text, cells))
    console.print(table)
