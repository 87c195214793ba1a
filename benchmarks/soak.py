"""Mixed load for a long time: python -m benchmarks.soak [--minutes 10] [--transport native].

Every method of the schema, with filters, batches, deadlines, connections that come and go and calls that are given up,
while the store's version changes every ten seconds. Each answer is compared, byte by byte, with what a process that
served one version alone gave. Memory, maps and file handles of the server are read each second, drawn to an SVG under
build/, and their growth is told by least squares, the first quarter left out. The last line is one JSON document.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.data import BUILD
from benchmarks.machine import machine
from benchmarks.process import wide_console
from benchmarks.serving.asker import Asked, Asker
from benchmarks.serving.figures import arrivals, spread
from benchmarks.serving.flips import flipping, flips_of
from benchmarks.serving.known import WRONG, Known, known
from benchmarks.serving.mix import Mix, mixed
from benchmarks.serving.plot import svg
from benchmarks.serving.processes import holdings
from benchmarks.serving.sampler import Sampler
from benchmarks.serving.servers import TRANSPORTS, serving
from benchmarks.serving.worlds import SIZES, World, made

_EVERY_S = 10.0
_RENEW_S, _CANCELLED, _SETTLE_S = 0.5, 0.01, 3.0


def soaked(world: World, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The whole run."""
    bundles = tuple(world.store.open(version) for version in world.versions.values())
    mix = mixed(bundles, seed=1)
    console.print("asking each version alone", highlight=False)
    right = known(world, options.transport, mix.calls)
    seconds = 60 * options.minutes
    console.print(f"{options.transport}: {options.rate:g} requests/s for {options.minutes:g} minutes", highlight=False)
    with serving(world.store.folder, options.transport, workers=options.workers) as server:
        held = {"idle before": holdings(server.pid)}
        sampler = Sampler(server.pid)
        flipper = flipping(world, int(seconds / _EVERY_S), _EVERY_S / 2, _EVERY_S)
        moments = arrivals(options.rate, seconds, seed=2)
        which = np.random.default_rng(3).choice(len(mix.calls), len(moments), p=mix.shares)
        with Asker(
            server.address,
            mix.calls,
            right.version_of,
            connections=8,
            renew_every_s=_RENEW_S,
            cancelled_share=_CANCELLED,
        ) as asker:
            asked = asker.ask(moments, which)
        sampler.stop()
        swaps = len(flips_of(flipper))
        time.sleep(_SETTLE_S)
        held["idle after"] = holdings(server.pid)
    plot = BUILD / "serving" / f"soak-{options.transport}.svg"
    plot.write_text(svg(f"soak, {options.transport}, {options.minutes:g} minutes", sampler.seconds, sampler.held))
    return {
        "transport": options.transport,
        "workers": options.workers,
        "minutes": options.minutes,
        "swaps": swaps,
        "given_up": asker.n_cancelled,
        **of_calls(asked, mix, right),
        "held": sampler.growth(),
        "idle": held,
        "plot": str(plot),
    }


def of_calls(asked: Asked, mix: Mix, right: Known) -> dict[str, Any]:
    """By method: calls, errors, wrong answers and latency; and how often each version answered."""
    _, times, statuses = asked.arrays()
    methods = np.array(mix.methods)[np.array(asked.questions, np.int64)]
    versions = np.array(asked.judgements, np.int64)
    by_method = {}
    for name in dict.fromkeys(mix.methods):
        among = methods == name
        by_method[name] = {
            "errors": int(np.count_nonzero(statuses[among])),
            "wrong_answers": int(np.count_nonzero((versions == WRONG) & among & (statuses == 0))),
            **(spread(times[among]) if among.any() else {"n": 0}),
        }
    return {
        "calls": len(times),
        "errors": int(np.count_nonzero(statuses)),
        "statuses": {str(status): n for status, n in sorted(Counter(statuses.tolist()).items())},
        "wrong_answers": int(np.count_nonzero((versions == WRONG) & (statuses == 0))),
        "answers_by_version": {
            name: int(np.count_nonzero(versions == code)) for code, name in enumerate(right.versions)
        },
        "by_method": by_method,
    }


def tables(result: Mapping[str, Any]) -> list[Table]:
    """For people: the calls by method, and what the server held."""
    calls = Table("method", "calls", "errors", "wrong", "p50 µs", "p99 µs", title=f"soak, {result['swaps']} swaps")
    for name, one in result["by_method"].items():
        figures = (one["n"], one["errors"], one["wrong_answers"], one.get("p50_us"), one.get("p99_us"))
        calls.add_row(name, *map(str, figures))
    columns = ("mean", "least", "largest", "grown", "grown_per_hour")
    held = Table("held", *columns, "idle before", "idle after", title="after the first quarter; grown by least squares")
    for kind, one in result["held"].items():
        idle = (moment[kind] for moment in result["idle"].values())
        held.add_row(kind, *(f"{one[name]:g}" for name in columns), *(f"{value:g}" for value in idle))
    return [calls, held]


def main() -> None:
    """Run, print tables for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", choices=SIZES, default="20m", help="the model that is served")
    parser.add_argument("--transport", choices=TRANSPORTS, default="native")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=200.0, help="calls/s, all methods together")
    options = parser.parse_args()
    console, where = wide_console(), machine()
    world = made(options.items, console, both=True)
    result = soaked(world, options, console)
    for table in tables(result):
        console.print(table)
    console.print(f"errors {result['errors']}, wrong {result['wrong_answers']}; see {result['plot']}", highlight=False)
    print(json.dumps({"benchmark": "soak", "machine": where, "world": world.told(), "result": result}))


if __name__ == "__main__":
    main()
