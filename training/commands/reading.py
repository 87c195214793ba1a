"""What every command that reads ratings has alike: which column is what, and what is said of the reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TimeRemainingColumn, TransferSpeedColumn

from matinee.settings import Command, progress_console
from training.data.cache import cached
from training.data.parts import Watch
from training.data.prepared import is_prepared
from training.data.ratings import Columns, Ratings, read_ratings
from training.data.sources import locate_ratings


class ColumnsCommand(Command):
    """A command whose flags say which column of some ratings is what."""

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


class RatingsCommand(ColumnsCommand):
    """A command that reads ratings."""

    cache: Path | None = None
    """Folder to keep the parsed ratings in, so that the same file is parsed but once; without it nothing is kept.
    One entry for each source, of about 20 bytes a rating; a changed source replaces its entry."""

    def read(self, source: Path, *, least: int = 2) -> Ratings:
        """The ratings in `source`, of at least `least` users and items; remarks on the reading go to standard error."""
        ratings = self._read(source, least)
        console = progress_console()
        for remark in ratings.remarks:
            console.print(remark, highlight=False, markup=False, soft_wrap=True)
        return ratings

    def _read(self, source: Path, least: int) -> Ratings:
        if is_prepared(source):
            with progress_console().status(f"verifying {source}"):
                return read_ratings(source, self.columns, least=least)
        with reading_progress(source) as watch:
            if self.cache is None:
                return read_ratings(source, self.columns, least=least, watch=watch)
            return read_ratings(cached(source, self.columns, self.cache, watch), least=least)


@contextmanager
def reading_progress(source: Path) -> Iterator[Watch]:
    """A bar of the bytes of `source` on standard error, advanced by the `Watch`."""
    stored, _ = locate_ratings(source)
    columns = (SpinnerColumn(), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(f"reading {source}", *columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task("", total=stored.n_bytes)
        yield lambda n_bytes: bar.advance(task, n_bytes)
