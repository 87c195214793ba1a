"""`matinee recommend` and `matinee similar`: ask a server, print a table. Needs the base install alone."""

import argparse
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from matinee.answers import Recommendations, ScoreKind
from matinee.client import Client
from matinee.command import Result, finish
from matinee.errors import UnavailableError

_ADDRESS = "127.0.0.1:50051"
_CUT = "..."
_EXAMPLES = {
    "recommend": """\
examples:
  matinee recommend 42
  matinee recommend 42 --k 5 --exclude 318 --exclude 296
  matinee recommend 42 --include-seen --json
""",
    "similar": """\
examples:
  matinee similar 318
  matinee similar 318 --k 5 --server 127.0.0.1:50051 --json
""",
}

SCORE_TITLES: dict[ScoreKind, str] = {
    "rating": "predicted rating",
    "preference": "preference",
    "cosine": "cosine",
    "unknown": "score",
}
"""What heads the column of scores."""

Ask = Callable[[Client, argparse.Namespace], Recommendations]


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first: recommend or similar; the exit status."""
    verb, *rest = arguments
    options = (_recommend_parser() if verb == "recommend" else _similar_parser()).parse_args(rest)
    return finish(lambda: _ask(options), options.json, _show)


def print_items(items: Sequence[tuple[str, str, float]], score: str) -> None:
    """Print (item_id, title, score) rows as a table on standard output, ranked from 1; `score` heads the last column.

    On a terminal, titles are cut to its width.
    """
    rows = [
        (str(rank), _safe(item_id), _safe(title), f"{value:.4f}")
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


def _ask(options: argparse.Namespace) -> Result:
    ask: Ask = options.ask
    with Client(options.server, timeout_s=options.timeout_s) as client:
        try:
            answer = ask(client, options)
        except UnavailableError as error:
            if client.is_reachable():
                raise
            hint = "is a server running there? start one with: matinee serve STORE"
            raise UnavailableError(f"{error}; {hint}", error.status) from error
    return asdict(answer)


def _show(result: Result) -> None:
    items: Iterable[dict[str, str | float]] = result["items"]  # type: ignore[assignment]  # what asdict made
    title = SCORE_TITLES[result["score_kind"]]  # type: ignore[index]  # what asdict made
    print_items([(str(item["item_id"]), str(item["title"]), float(item["score"])) for item in items], title)
    print(f"\nmodel version {result['model_version']}")


def _recommend_parser() -> argparse.ArgumentParser:
    parser = _parser("recommend", "Ask a server for the items that suit a user best.")
    parser.add_argument("user_id", metavar="USER_ID", help="as the ratings have it")
    parser.add_argument("--include-seen", action="store_true", help="also items that the user has already rated")
    parser.set_defaults(
        ask=lambda client, options: client.recommend(
            options.user_id, options.k, include_seen=options.include_seen, exclude_item_ids=options.exclude
        ),
    )
    return parser


def _similar_parser() -> argparse.ArgumentParser:
    parser = _parser("similar", "Ask a server for the items most like one item.")
    parser.add_argument("item_id", metavar="ITEM_ID", help="as the ratings have it")
    parser.set_defaults(
        ask=lambda client, options: client.similar_items(options.item_id, options.k, exclude_item_ids=options.exclude),
    )
    return parser


def _parser(verb: str, description: str) -> argparse.ArgumentParser:
    """What both commands take."""
    parser = argparse.ArgumentParser(
        prog=f"matinee {verb}",
        description=description,
        epilog=_EXAMPLES[verb],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server = os.environ.get("MATINEE_SERVER", _ADDRESS)
    parser.add_argument("--k", type=int, default=10, help="how many items, 1 to 1000; default %(default)s")
    parser.add_argument("--exclude", action="append", default=[], metavar="ID", help="never this item; may be repeated")
    parser.add_argument(
        "--server", default=server, metavar="ADDRESS", help="default %(default)s; or set MATINEE_SERVER"
    )
    parser.add_argument("--timeout-s", type=float, default=5.0, help="how long to wait; default %(default)s s")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON document")
    return parser


def _safe(text: str) -> str:
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
