"""Versions change under load: python -m benchmarks.swap [--swaps 50] [--transport …].

The server has one half of the cores and its callers the other, as if on another machine. Independent callers ask, half
as many a second as h2load gets answered on 16 connections, while the store's current version goes back and forth
between two real bundles. Every answer is compared, byte by byte, with what a process that
served nothing else gave for that user: an answer that is neither version's is wrong. p99 in the second around each
swap (half a second before the first answer of the new version, half a second after) stands beside the steady p99, of
the time that no swap touches, and beside the worst of the steady seconds, since machines are noisy. Memory, maps and
handles are read before the swaps, after one there and back, and after all. The last line is one JSON document.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import halves, machine, on_cores
from benchmarks.process import wide_console
from benchmarks.serving import h2load
from benchmarks.serving.asker import Asked, Asker
from benchmarks.serving.figures import arrivals
from benchmarks.serving.flips import flipping, flips_of
from benchmarks.serving.known import WRONG, Known, known
from benchmarks.serving.processes import holdings
from benchmarks.serving.questions import spread_over_seen
from benchmarks.serving.ripple import around_swaps, first_answers, pooled_ratio
from benchmarks.serving.servers import TRANSPORTS, serving
from benchmarks.serving.throughput import per_s
from benchmarks.serving.worlds import SIZES, World, made

_TARGET_RATIO = 1.2
_N_USERS, _N_FLIPS_BEFORE = 64, 2
_LEAD_S, _TAIL_S, _SETTLE_S = 5.0, 4.0, 3.0


def on_transport(world: World, transport: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All figures of one transport."""
    questions = spread_over_seen(world.newest, _N_USERS)
    calls = [question.call for question in questions]
    right = known(world, transport, calls)
    ours, servers = halves()
    with ExitStack() as stack:
        with on_cores(servers):
            server = stack.enter_context(serving(world.store.folder, transport))
        stack.enter_context(on_cores(ours))
        rate = options.rate or per_s(server.address, questions[:: _N_USERS // 4]) / 2
        held = {"before": holdings(server.pid)}
        flips_of(flipping(world, _N_FLIPS_BEFORE, 0.0, options.every_s))
        time.sleep(_SETTLE_S)
        held["after_one_there_and_back"] = holdings(server.pid)
        seconds = _LEAD_S + options.swaps * options.every_s + _TAIL_S
        console.print(f"{transport}: {rate:,.0f} requests/s, {options.swaps} swaps, {seconds:.0f} s", highlight=False)
        flipper = flipping(world, options.swaps, _LEAD_S, options.every_s)
        moments = arrivals(rate, seconds, seed=1)
        which = np.random.default_rng(2).integers(0, len(calls), len(moments))
        with Asker(server.address, calls, right.version_of, connections=8) as asker:
            asked = asker.ask(moments, which)
        flips = flips_of(flipper)
        time.sleep(_SETTLE_S)
        held["after"] = holdings(server.pid)
    return {"transport": transport, "offered_per_s": round(rate), "holdings": held, **judged(asked, flips, right)}


def judged(asked: Asked, flips: Sequence[Mapping[str, Any]], right: Known) -> dict[str, Any]:
    """Errors, wrong answers, and what the swaps did to latency."""
    starts, times, statuses = asked.arrays()
    versions = np.array(asked.judgements, np.int64)
    moments = [(flip["flipped_us"], right.versions.index(flip["version"])) for flip in flips]
    firsts = first_answers(moments, starts + times, versions)
    swaps = [{**flip, "first_us": first} for flip, first in zip(flips, firsts, strict=True) if first is not None]
    return {
        "calls": len(starts),
        "errors": int(np.count_nonzero(statuses)),
        "statuses": Counter(map(str, statuses.tolist())),
        "wrong_answers": int(np.count_nonzero((versions == WRONG) & (statuses == 0))),
        "users_told_apart": right.told_apart,
        "swaps": len(swaps),
        "swaps_not_followed": len(flips) - len(swaps),
        **around_swaps(starts, times, swaps, _TARGET_RATIO),
    }


def table(world: Mapping[str, Any], result: Mapping[str, Any]) -> Table:
    """For people: figures and targets."""
    title = f"{result['swaps']} swaps, {result['transport']}, {world['size']}, {result['offered_per_s']:,} requests/s"
    shown = Table("", "measured", "target", title=title)
    ratios, steady = result["p99_ratio_to_steady"], result["of_steady_seconds"]
    rows = [
        ("errors", f"{result['errors']} of {result['calls']:,}: {dict(result['statuses'])}", "0"),
        ("answers of neither version", f"{result['wrong_answers']}", "0"),
        ("swaps that were not followed", f"{result['swaps_not_followed']}", "0"),
        ("steady p50 / p99", f"{result['steady']['p50_us']:.0f} / {result['steady']['p99_us']:.0f} µs", ""),
        ("p99 around swaps / steady, all together", f"{pooled_ratio(result):.2f}", f"≤ {_TARGET_RATIO}"),
        ("  of single swaps: median, worst", f"{ratios['median']}, {ratios['largest']}", f"≤ {_TARGET_RATIO}"),
        ("  swaps within the target", f"{ratios['within_target']} of {ratios['n']}", ""),
        ("  of single steady seconds: median, worst", f"{steady['median']}, {steady['largest']}", ""),
        ("p99 while a version is loaded", f"{result['from_current_to_first_answer']['p99_us']:.0f} µs", ""),
        ("seconds from CURRENT to the first answer", str(result["seconds_to_first_answer"]["median"]), ""),
    ]
    for name in result["holdings"]["before"]:
        values = " → ".join(f"{held[name]:g}" for held in result["holdings"].values())
        rows.append((f"{name}: before → one there and back → after all", values, "back"))
    for row in rows:
        shown.add_row(*row)
    return shown


def main() -> None:
    """Measure, print a table for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", choices=SIZES, default="20m", help="the model that is served")
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--every-s", type=float, default=5.0, help="seconds between two swaps")
    parser.add_argument("--rate", type=float, help="requests/s; half of the maximum where absent")
    options = parser.parse_args()
    h2load.require()
    console, where = wide_console(), machine()
    world = made(options.items, console, both=True)
    results = [on_transport(world, transport, options, console) for transport in options.transport]
    for result in results:
        console.print(table(world.told(), result))
    print(json.dumps({"benchmark": "swap", "machine": where, "world": world.told(), "results": results}))


if __name__ == "__main__":
    main()
