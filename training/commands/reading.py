"""What every command that reads ratings has alike: which column is what, and what is said of the reading."""

from pathlib import Path

from matinee.settings import Command, progress_console
from training.data.ratings import Columns, Ratings, read_ratings


class RatingsCommand(Command):
    """A command that reads ratings; its flags say which column is what."""

    user_column: str | None = None
    """Column of the user's id; found by its name where absent."""

    item_column: str | None = None
    """Column of the item's id; found by its name where absent."""

    rating_column: str | None = None
    """Column of the rating; found by its name where absent."""

    timestamp_column: str | None = None
    """Column of the time, as epoch seconds or as 2005-04-02 23:53:47 (UTC); found by its name where absent."""

    items: Path | None = None
    """File with the items' titles; looked for beside the ratings where absent."""

    item_id_column: str | None = None
    """Column of the item's id in the titles file."""

    title_column: str | None = None
    """Column of the title in the titles file."""

    tags_column: str | None = None
    """Column of tags such as genres in the titles file, separated by |."""

    def read(self, source: Path, *, least: int = 2) -> Ratings:
        """The ratings in `source`, of at least `least` users and items; remarks on the reading go to standard error."""
        console = progress_console()
        with console.status(f"reading {source}"):
            ratings = read_ratings(source, self.columns, least=least)
        for remark in ratings.remarks:
            console.print(remark, highlight=False, markup=False, soft_wrap=True)
        return ratings

    @property
    def columns(self) -> Columns:
        """The flags as the reader takes them."""
        return Columns(
            user=self.user_column,
            item=self.item_column,
            rating=self.rating_column,
            timestamp=self.timestamp_column,
            items=self.items,
            item_id=self.item_id_column,
            title=self.title_column,
            tags=self.tags_column,
        )
