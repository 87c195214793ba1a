"""A ranked list as a table that a terminal can show, whatever the titles hold."""

import shutil
import sys
import unicodedata
from collections.abc import Sequence

from matinee.answers import ScoreKind

_CUT = "..."

SCORE_TITLES: dict[ScoreKind, str] = {
    "rating": "predicted rating",
    "preference": "preference",
    "popularity": "ratings",
    "weighted": "weighted score",
    "cosine": "cosine",
    "unknown": "score",
}
"""What heads the column of scores."""


def print_items(items: Sequence[tuple[str, str, float]], score: str) -> None:
    """Print (item_id, title, score) rows as a table on standard output, ranked from 1; `score` heads the last column.

    On a terminal, titles are cut to its width.
    """
    rows = [
        (str(rank), printable(item_id), printable(title), f"{value:.4f}")
        for rank, (item_id, title, value) in enumerate(items, start=1)
    ]
    table = [("rank", "item", "title", score), *rows]
    rank_width, id_width, title_width, score_width = (max(map(_width, column)) for column in zip(*table, strict=True))
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        title_width = max(_width("title"), min(title_width, columns - rank_width - id_width - score_width - 6))
    for rank, item_id, title, value in table:
        left = f"{rank:>{rank_width}}  {_padded(item_id, id_width)}  {_padded(_cut(title, title_width), title_width)}"
        print(f"{left}  {value:>{score_width}}")


def printable(text: str) -> str:
    """`text` with every character escaped that could move the cursor, change the terminal or not be written to it."""
    encoding = sys.stdout.encoding or "utf-8"
    return "".join(map(_visible, text)).encode(encoding, "backslashreplace").decode(encoding)


def _visible(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _width(text: str) -> int:
    """The terminal columns that `text` takes: East Asian wide characters take two, combining marks none."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept, used = [], len(_CUT)
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + _CUT
