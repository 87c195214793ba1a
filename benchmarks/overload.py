"""Three times as much as the server can take: python -m benchmarks.overload [--times 3] [--transport …].

The server has one half of the cores and whoever asks the other, as if on another machine: else the flood would take the
cores that it is to be served with. h2load floods the server, each process for one user, at a multiple of what it got
answered on 16 connections; how many of its calls were accepted, their bytes tell. A thin client asks beside it all the
time, some hundred times a second on connections of its own, before, through and after the flood: each of its calls is
known to be accepted or shed, and how long it took. It waits for a core like the flood, so what it measures is more than
what the server took. Latency is back in the first tenth of a second after the flood's last call in which nothing was
shed and nine tenths of the calls were within the unloaded p99. The last line of standard output is one JSON document.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import halves, machine, on_cores
from benchmarks.process import wide_console
from benchmarks.serving import h2load
from benchmarks.serving.asker import Asked, Asker
from benchmarks.serving.calls import Request
from benchmarks.serving.figures import arrivals, ratio, recovered_after_s, spread
from benchmarks.serving.h2load import Calls
from benchmarks.serving.questions import answers, spread_over_seen
from benchmarks.serving.servers import TRANSPORTS, serving
from benchmarks.serving.throughput import per_s
from benchmarks.serving.worlds import SIZES, World, made

_P99_RATIO, _BACK_S = 5, 1.0
_N_PROBE_USERS, _N_FLOODS, _CONNECTIONS = 16, 4, 8
_AFTER_S, _RISE_US, _WINDOW_US = 6.0, 500_000, 100_000
_OK, _SHED = 0, 8


def on_transport(world: World, transport: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All figures of one transport."""
    questions = spread_over_seen(world.newest, _N_PROBE_USERS)
    calls = [question.call for question in questions]
    flooders = questions[:: _N_PROBE_USERS // _N_FLOODS]
    bounds = {"--max-concurrent": options.max_concurrent, "--max-wait-ms": options.max_wait_ms}
    flags = [word for flag, bound in bounds.items() if bound for word in (flag, str(bound))]
    ours, servers = halves()
    with ExitStack() as stack:
        with on_cores(servers):
            server = stack.enter_context(serving(world.store.folder, transport, *flags))
        stack.enter_context(on_cores(ours))
        sizes = [len(data) for data in answers(server.address, [question.call for question in flooders])]
        most = per_s(server.address, flooders)
        unloaded = _probed(server.address, calls, options.probe_rate, options.seconds).arrays()
        rate = options.times * most
        console.print(f"{transport}: {rate:,.0f} requests/s for {options.seconds:g} s", highlight=False)
        floods = [
            h2load.flood(server.address, question.body, _CONNECTIONS, rate / _N_FLOODS, options.seconds)
            for question in flooders
        ]
        probes = _probed(server.address, calls, options.probe_rate, options.seconds + _AFTER_S).arrays()
        flooded = [flood.calls() for flood in floods]
    return {
        "transport": transport,
        "maximum_per_s": round(most),
        "max_concurrent": options.max_concurrent,
        "max_wait_ms": options.max_wait_ms,
        "unloaded": spread(unloaded[1]),
        **of_flood(flooded, sizes),
        **of_probes(probes, h2load.pooled(flooded), spread(unloaded[1])["p99_us"]),
    }


def _probed(address: str, calls: Sequence[Request], rate: float, seconds: float) -> Asked:
    moments = arrivals(rate, seconds, seed=1)
    with Asker(address, calls) as asker:
        return asker.ask(moments, np.arange(len(moments)) % len(calls))


def of_flood(flooded: Sequence[Calls], sizes: Sequence[int]) -> dict[str, Any]:
    """How much h2load asked, how much of it was accepted, and how much of that a second."""
    together = h2load.pooled(flooded)
    accepted = sum(calls.data_bytes / size for calls, size in zip(flooded, sizes, strict=True))
    seconds = len(together.starts_us) / together.per_s
    return {
        "flood": {
            "calls": len(together.starts_us),
            "offered_per_s": round(len(together.starts_us) / (1e-6 * np.ptp(together.starts_us))),
            "accepted_per_s": round(accepted / seconds),
            "shed_share": round(1 - accepted / len(together.starts_us), 4),
            "failed": together.n_failed,
        }
    }


def of_probes(
    probes: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], flood: Calls, unloaded_p99_us: float
) -> dict[str, Any]:
    """What the thin client saw: starts, times and statuses of its calls; half a second of rise is left out."""
    starts, times, statuses = probes
    begin, end = int(flood.starts_us.min()), int(flood.starts_us.max())
    through = (starts >= begin + _RISE_US) & (starts <= end)
    accepted, shed = times[through & (statuses == _OK)], times[through & (statuses == _SHED)]
    if len(accepted) == 0:
        raise SystemExit("of the calls beside the flood none was accepted")
    back_s = recovered_after_s(starts, times, statuses != _OK, end, unloaded_p99_us, _WINDOW_US)
    return {
        "accepted": spread(accepted),
        "p99_ratio_to_unloaded": ratio(spread(accepted)["p99_us"], unloaded_p99_us),
        "shed": spread(shed) if len(shed) else None,
        "probes_shed_share": round(len(shed) / max(1, int(np.count_nonzero(through))), 4),
        "other_statuses": Counter(map(str, statuses[(statuses != _OK) & (statuses != _SHED)].tolist())),
        "back_after_s": back_s,
    }


def table(world: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Table:
    """For people: figures and targets."""
    shown = Table("", *(result["transport"] for result in results), "target", title=f"overload, {world['size']}")
    rows: list[tuple[str, Any, str]] = [
        ("maximum, 16 connections, requests/s", lambda r: f"{r['maximum_per_s']:,}", ""),
        ("offered, requests/s", lambda r: f"{r['flood']['offered_per_s']:,}", ""),
        ("accepted of the flood, requests/s", lambda r: f"{r['flood']['accepted_per_s']:,}", ""),
        ("shed of the flood", lambda r: f"{r['flood']['shed_share']:.1%}", ""),
        ("shed of the probes", lambda r: f"{r['probes_shed_share']:.1%}", ""),
        ("unloaded p50 / p99", lambda r: _ms(r["unloaded"]), ""),
        ("accepted p50 / p99", lambda r: _ms(r["accepted"]), ""),
        ("accepted p99 / unloaded p99", lambda r: f"{r['p99_ratio_to_unloaded']:.1f}", f"≤ {_P99_RATIO}"),
        ("shed after: p50 / p99", lambda r: _ms(r["shed"]) if r["shed"] else "none", "at once"),
        ("other failures", lambda r: f"{r['flood']['failed']}, {dict(r['other_statuses'])}", "0, {}"),
        ("latency back after", lambda r: f"{r['back_after_s']} s", f"≤ {_BACK_S:g} s"),
    ]
    for name, figure, target in rows:
        shown.add_row(name, *(figure(result) for result in results), target)
    return shown


def _ms(times: Mapping[str, float]) -> str:
    return f"{times['p50_us'] / 1000:.2f} / {times['p99_us'] / 1000:.2f} ms"


def main() -> None:
    """Measure, print a table for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", choices=SIZES, default="20m", help="the model that is served")
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--times", type=float, default=3.0, help="the flood, as a multiple of the maximum")
    parser.add_argument("--seconds", type=float, default=15.0, help="of the flood, and of the unloaded time before")
    parser.add_argument("--probe-rate", type=float, default=300.0, help="calls/s of the thin client")
    parser.add_argument("--max-concurrent", type=int, help="the server's bound; its own default where absent")
    parser.add_argument("--max-wait-ms", type=float, help="the same, of what waits in a line that stands")
    options = parser.parse_args()
    h2load.require()
    console, where = wide_console(), machine()
    world = made(options.items, console)
    results = [on_transport(world, transport, options, console) for transport in options.transport]
    console.print(table(world.told(), results))
    print(json.dumps({"benchmark": "overload", "machine": where, "world": world.told(), "results": results}))


if __name__ == "__main__":
    main()
