"""`matinee top`: what a server does now, as a table in the terminal. Needs the base install alone."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from matinee.command import INTERRUPTED, Result, finish, say
from matinee.errors import UsageError
from matinee.exposition import ExpositionError, Samples, fetch
from matinee.look import Look, look
from matinee.table import printable

_ADDRESS = "127.0.0.1:9464"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_CLEAR = "\x1b[2J"
_EXAMPLES = """\
examples:
  matinee serve store --metrics-address 127.0.0.1:9464
  matinee top
  matinee top --once                   # the totals since the server began
  matinee top --interval-s 10 --json   # a line of JSON every 10 s
"""


def main(arguments: Sequence[str]) -> int:
    """Run `arguments`, the verb first; the exit status."""
    options = _parser().parse_args(arguments[1:])
    return finish(lambda: _run(options), False, lambda _: None)


def table(seen: Look) -> list[str]:
    """The lines that show it to people."""
    rate, digits = ("calls/s", 1) if seen.seconds else ("calls", 0)
    methods = [["method", rate, "p50 ms", "p99 ms", "errors", "shed", "recall"]]
    methods += [
        [line.method, f"{line.rate:,.{digits}f}", *(_shown(value, 2) for value in (line.p50_ms, line.p99_ms)),
         f"{line.errors:,.0f}", f"{line.shed:,.0f}", _shown(line.recall, 4)]
        for line in seen.methods
    ]  # fmt: skip
    workers = [["worker", rate, "restarts", "MiB", "version"]]
    workers += [
        [
            line.worker,
            f"{line.rate:,.{digits}f}",
            f"{line.restarts:.0f}",
            f"{line.resident_mib:,.0f}",
            line.version or "-",
        ]
        for line in seen.workers
    ]
    span = f"the last {seen.seconds:.1f} s" if seen.seconds else "since the server began"
    head = f"{span}; now {seen.working:.0f} working, {seen.waiting:.0f} waiting; {seen.swaps:.0f} swaps"
    return [f"{head}, {seen.refused:.0f} refused", "", *_aligned(methods), "", *_aligned(workers)]


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    # Nothing that a server says may move the cursor or change the terminal.
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [f"{text:>{width}}" for text, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([f"{first:<{widths[0]}}", *cells])


def _run(options: argparse.Namespace) -> Result | None:
    if options.interval_s <= 0:
        raise UsageError(f"--interval-s is {options.interval_s:g}; it must be more than 0")
    try:
        if options.once:
            _print(look(fetch(options.metrics, options.timeout_s)), options.json)
        else:
            _follow(options)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    return None


def _follow(options: argparse.Namespace) -> None:
    before: Samples | None = fetch(options.metrics, options.timeout_s)
    at, is_live = time.monotonic(), sys.stdout.isatty() and not options.json
    if is_live:
        print(_CLEAR, end="")
    while True:
        time.sleep(options.interval_s)
        try:
            now, then = fetch(options.metrics, options.timeout_s), time.monotonic()
        except ExpositionError as error:
            # A server that is started anew comes back.
            say(f"matinee: {error}")
            continue
        _print(look(now, before, then - at), options.json, is_live)
        before, at = now, then


def _print(seen: Look, as_json: bool, is_live: bool = False) -> None:
    if as_json:
        print(json.dumps(asdict(seen)), flush=True)
    elif is_live:
        print(_HOME + "".join(f"{line}{_CLEAR_LINE}\n" for line in table(seen)) + _CLEAR_BELOW, end="", flush=True)
    else:
        print(*table(seen), "", sep="\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="matinee top",
        description="What a server does now: calls, latency, errors, versions, from its metrics.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    address = os.environ.get("MATINEE_METRICS", _ADDRESS)
    parser.add_argument(
        "--metrics", default=address, metavar="ADDRESS", help="the server's --metrics-address; default %(default)s"
    )
    parser.add_argument("--interval-s", type=float, default=1.0, help="how often to look; default %(default)s s")
    parser.add_argument("--once", action="store_true", help="print all since the server began, and end")
    parser.add_argument("--timeout-s", type=float, default=5.0, help="how long to wait; default %(default)s s")
    parser.add_argument("--json", action="store_true", help="print each look as one line of JSON")
    return parser
