"""The forms that ratings come in: which columns there are, and which of them is what."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Columns:
    """Which column of the data is what; None: found by its name."""

    user: str | None = None
    """The user's id."""
    item: str | None = None
    """The item's id."""
    rating: str | None = None
    """The rating, a number."""
    timestamp: str | None = None
    """When the rating was made: epoch seconds, or text such as 2005-04-02 23:53:47 (UTC)."""
    items: Path | None = None
    """The file with the titles; None: looked for beside the ratings."""
    item_id: str | None = None
    """The item's id in the titles file."""
    title: str | None = None
    """The title in the titles file."""
    tags: str | None = None
    """Tags such as genres in the titles file, separated by |."""
