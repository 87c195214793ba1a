"""The flags of the commands that ask a server: where it is, how to get through to it, which items may come back."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matinee.client import Client
from matinee.connection import Tls
from matinee.errors import UsageError

_ADDRESS = "127.0.0.1:50051"
_TLS_FLAGS = ("tls_ca", "tls_cert", "tls_key", "tls_server_name")


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Where the server is, and what it is given to prove who asks."""
    server = parser.add_argument_group("server")
    server.add_argument(
        "--server",
        default=os.environ.get("MATINEE_SERVER", _ADDRESS),
        metavar="ADDRESS",
        help="HOST:PORT, unix:PATH or several with commas between; default %(default)s; or set MATINEE_SERVER",
    )
    server.add_argument("--timeout-s", type=float, default=5.0, help="how long to wait; default %(default)s s")
    server.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the bearer token; or set MATINEE_TOKEN to the token"
    )
    server.add_argument("--tls", action="store_true", help="encrypt, and trust the well-known authorities")
    server.add_argument("--tls-ca", type=Path, metavar="FILE", help="encrypt, and trust this authority alone (PEM)")
    server.add_argument("--tls-cert", type=Path, metavar="FILE", help="this client's certificate (PEM)")
    server.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of --tls-cert (PEM)")
    server.add_argument("--tls-server-name", metavar="NAME", help="the name in the server's certificate")


def add_filter_flags(parser: argparse.ArgumentParser) -> None:
    """Which items may come back."""
    filters = parser.add_argument_group("which items may come back; each flag but --k may be repeated")
    filters.add_argument("--k", type=int, default=10, help="how many items, 1 to 1000; default %(default)s")
    filters.add_argument("--exclude", action="append", default=[], metavar="ID", help="never this item")
    filters.add_argument("--only", action="append", default=[], metavar="ID", help="only these items")
    filters.add_argument("--tag", action="append", default=[], help="only items with one of these tags")
    filters.add_argument("--no-tag", action="append", default=[], metavar="TAG", help="no items with this tag")


def add_user_flags(parser: argparse.ArgumentParser) -> None:
    """What recommendations take beside the filters."""
    parser.add_argument("--include-seen", action="store_true", help="also items that were rated already")
    parser.add_argument(
        "--item-bias-weight",
        type=float,
        metavar="W",
        help="how much popularity counts, -1 to 2; 1, the model's own score, by default; 0 is taste alone",
    )


def client_of(options: argparse.Namespace) -> Client:
    """The client that the flags describe. Raises UsageError where they do not fit together, OSError for a file."""
    tls = Tls(options.tls_ca, options.tls_cert, options.tls_key, options.tls_server_name) if _is_tls(options) else None
    return Client(options.server, options.timeout_s, tls=tls, token=_token(options.token_file))


def filters_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the flags of `add_filter_flags` and, where they were added, of `add_user_flags` say to the client."""
    filters = {
        "exclude_item_ids": options.exclude,
        "only_item_ids": options.only,
        "any_tags": options.tag,
        "no_tags": options.no_tag,
    }
    of_users = ("include_seen", "item_bias_weight", "popular_if_unknown")
    return {**filters, **{name: value for name, value in vars(options).items() if name in of_users}}


def ratings_of(pairs: Sequence[str]) -> dict[str, float]:
    """ITEM_ID=RATING pairs. Raises UsageError where one is none, or an item comes twice."""
    ratings: dict[str, float] = {}
    for pair in pairs:
        item_id, equals, rating = pair.rpartition("=")
        if item_id in ratings:
            raise UsageError(f"{item_id} is rated twice")
        try:
            ratings[item_id] = float(rating)
        except ValueError:
            equals = ""
        if not (item_id and equals):
            raise UsageError(f"{pair!r} is no rating; write ITEM_ID=RATING, such as 318=4.5")
    return ratings


def _is_tls(options: argparse.Namespace) -> bool:
    return bool(options.tls or any(getattr(options, flag) for flag in _TLS_FLAGS))


def _token(file: Path | None) -> str | None:
    # Never a flag: the command line is for every user of the machine to read.
    if file is None:
        return os.environ.get("MATINEE_TOKEN") or None
    token = file.read_text(encoding="utf-8").strip()
    if not token:
        raise UsageError(f"{file} is empty; it must hold the token")
    return token
