"""`matinee recommend`, `similar` and `rate`: ask a server, print a table. Needs the base install alone."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from matinee.answers import Recommendations
from matinee.client import Client
from matinee.command import Result, finish
from matinee.errors import UnavailableError
from matinee.flags import add_filter_flags, add_server_flags, add_user_flags, client_of, filters_of, ratings_of
from matinee.table import SCORE_TITLES, print_items, printable

Ask = Callable[[Client, argparse.Namespace], Recommendations]


@dataclass(frozen=True)
class _Verb:
    """One of the commands."""

    summary: str
    examples: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    ask: Ask


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user_id", metavar="USER_ID", help="as the ratings have it")
    add_user_flags(parser)
    parser.add_argument(
        "--popular-if-unknown", action="store_true", help="what most users have rated, where the user is unknown"
    )


def _add_similar(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item_id", metavar="ITEM_ID", help="as the ratings have it")


def _add_rate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ratings", metavar="ITEM_ID=RATING", nargs="+", help="such as 318=4.5")
    add_user_flags(parser)


_VERBS: Mapping[str, _Verb] = {
    "recommend": _Verb(
        "Ask a server for the items that suit a user best.",
        """\
examples:
  matinee recommend 42
  matinee recommend 42 --k 5 --exclude 318 --tag Drama --no-tag War
  matinee recommend 42 --include-seen --json
  matinee recommend 42 --server reco.example.com:443 --tls --token-file token
""",
        _add_recommend,
        lambda client, options: client.recommend(options.user_id, options.k, **filters_of(options)),
    ),
    "similar": _Verb(
        "Ask a server for the items most like one item.",
        """\
examples:
  matinee similar 318
  matinee similar 318 --k 5 --server 127.0.0.1:50051,127.0.0.1:50052 --json
""",
        _add_similar,
        lambda client, options: client.similar_items(options.item_id, options.k, **filters_of(options)),
    ),
    "rate": _Verb(
        "Ask a server for the items that suit somebody whom it does not know, from a few ratings.",
        """\
examples:
  matinee rate 318=5 296=4.5 480=2
""",
        _add_rate,
        lambda client, options: client.recommend_from_ratings(
            ratings_of(options.ratings), options.k, **filters_of(options)
        ),
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first: recommend, similar or rate; the exit status."""
    verb, *rest = arguments
    options = _parser(verb).parse_args(rest)
    return finish(lambda: _ask(_VERBS[verb].ask, options), options.json, _show)


def _ask(ask: Ask, options: argparse.Namespace) -> Result:
    with client_of(options) as client:
        try:
            answer = ask(client, options)
        except UnavailableError as error:
            if client.is_reachable():
                raise
            hint = "is a server running there? start one with: matinee serve STORE"
            raise UnavailableError(f"{error}; {hint}", error.status, error.request_id) from error
    return asdict(answer)


def _show(result: Result) -> None:
    items: Iterable[dict[str, str | float]] = result["items"]  # type: ignore[assignment]  # what asdict made
    title = SCORE_TITLES[result["score_kind"]]  # type: ignore[index]  # what asdict made
    print_items([(str(item["item_id"]), str(item["title"]), float(item["score"])) for item in items], title)
    if ignored := result.get("ignored_item_ids"):
        print(f"\nnot rated, since the model does not know them: {', '.join(map(printable, ignored))}")  # type: ignore[call-overload]  # what asdict made
    print(f"\nmodel version {result['model_version']}")


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"matinee {verb}",
        description=_VERBS[verb].summary,
        epilog=_VERBS[verb].examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _VERBS[verb].add_flags(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON document")
    add_filter_flags(parser)
    add_server_flags(parser)
    return parser
