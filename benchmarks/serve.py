"""How fast the server answers, and where the time goes: python -m benchmarks.serve [--items 20m|1m] [--transport …].

`matinee serve` runs over a bundle of `matinee index`, in a process of its own; so does an empty handler on the same
transport, which answers every request with as many bytes and does nothing else. Both are asked by turns in the same
run, by h2load, for users spread over how much they have seen: k 10, seen items left out, titles in the answer.

One connection: p50 and p99, and their ratios to the empty handler. 16 connections: requests a second, with h2load on
the same cores. The ladder: a socket, the transport with an empty handler, and the rungs inside the process
(benchmarks.serving.ladder). Cold start: seconds from the start of the process to SERVING, files in the page cache;
memory of one worker and of each further one; requests a second by workers. Recall and index stand beside them all. The
last line of standard output is one JSON document.
"""

import argparse
import json
from collections.abc import Sequence
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.machine import machine
from benchmarks.process import measured, wide_console
from benchmarks.serving import h2load, tables
from benchmarks.serving.figures import ratio, spread
from benchmarks.serving.ping import by_turns, on_a_socket
from benchmarks.serving.processes import memory
from benchmarks.serving.questions import Question, answers, spread_over_seen
from benchmarks.serving.servers import TRANSPORTS, empty, serving
from benchmarks.serving.throughput import CONNECTIONS, per_s
from benchmarks.serving.worlds import SIZES, World, made


def one_connection(
    real: str, nothing: str, questions: Sequence[Question], sizes: Sequence[int], options: argparse.Namespace
) -> dict[str, Any]:
    """Latency of one call at a time, beside the empty handler's; by turns, user by user."""
    runs, empty_runs = [], []
    for _ in range(options.rounds):
        for question, size in zip(questions, sizes, strict=True):
            empty_runs.append(h2load.closed(nothing, question.body, 1, options.calls))
            runs.append(h2load.answered(h2load.closed(real, question.body, 1, options.calls), size))
    ratios = [median(run.times_us) / median(empty.times_us) for run, empty in zip(runs, empty_runs, strict=True)]
    by_user = [
        {"n_seen": question.n_seen, **spread(h2load.pooled(runs[place :: len(questions)]).times_us)}
        for place, question in enumerate(questions)
    ]
    n = options.calls * len(questions)
    turns, empty_turns = spread(by_turns(real, questions, n)), spread(by_turns(nothing, questions, n))
    return {
        **spread(h2load.pooled(runs).times_us),
        "empty": spread(h2load.pooled(empty_runs).times_us),
        "p50_ratio_to_empty": round(median(ratios), 3),
        "by_user": by_user,
        "another_user_each_call": {
            "client": "Python, on a bare socket",
            **turns,
            "empty": empty_turns,
            "p50_ratio_to_empty": ratio(turns["p50_us"], empty_turns["p50_us"]),
        },
    }


def on_transport(world: World, transport: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All figures of one transport."""
    questions = spread_over_seen(world.newest, options.users)
    console.print(f"{transport}: one connection, {CONNECTIONS} connections", highlight=False)
    with serving(world.store.folder, transport) as server:
        found = answers(server.address, [question.call for question in questions])
        sizes = [len(data) for data in found]
        typical = sorted(found, key=len)[len(found) // 2]
        # Without gRPC's five bytes, which the transport adds.
        with empty(transport, typical[5:]) as nothing:
            for address in (nothing, server.address):
                by_turns(address, questions, 500)
            one = one_connection(server.address, nothing, questions, sizes, options)
            many = {
                "connections": CONNECTIONS,
                "per_s": per_s(server.address, questions, options.calls),
                "empty_per_s": per_s(nothing, questions, options.calls),
            }
        held = memory(server.pid)
    with empty("socket", typical, len(questions[0].body)) as echo:
        socket_times = spread(on_a_socket(echo, len(questions[0].body), len(typical), options.calls * 2))
    return {
        "transport": transport,
        "answer_bytes": len(typical),
        "one_connection": one,
        "many_connections": many,
        "socket": socket_times,
        "memory": vars(held),
        "cold_start": cold_start(world, transport, options.starts),
        "workers": by_workers(world, transport, questions, options, console),
    }


def cold_start(world: World, transport: str, starts: int) -> dict[str, Any]:
    """Seconds from the start of the process to SERVING."""
    seconds = []
    for _ in range(starts):
        with serving(world.store.folder, transport) as server:
            seconds.append(server.ready_s)
    return {"ready_s": median(seconds), "slowest_s": max(seconds), "starts": starts}


def by_workers(
    world: World, transport: str, questions: Sequence[Question], options: argparse.Namespace, console: Console
) -> list[dict[str, Any]]:
    """Requests a second and memory by the number of workers."""
    found = []
    for workers in options.workers:
        console.print(f"{transport}: {workers} workers", highlight=False)
        with serving(world.store.folder, transport, workers=workers) as server:
            rate = per_s(server.address, questions, options.calls)
            found.append({"workers": workers, "per_s": rate, **vars(memory(server.pid))})
    return found


def main() -> None:
    """Measure, print tables for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", choices=SIZES, default="20m", help="the model that is served")
    parser.add_argument("--transport", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--users", type=int, default=8, help="h2load asks for one user a run")
    parser.add_argument("--rounds", type=int, default=3, help="how often all users are asked for, on one connection")
    parser.add_argument("--calls", type=int, default=500, help="of a run, for each connection")
    parser.add_argument("--starts", type=int, default=5, help="cold starts")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    h2load.require()
    console, where = wide_console(), machine()
    world = made(options.items, console)
    results = [on_transport(world, transport, options, console) for transport in options.transport]
    console.print("the ladder", highlight=False)
    ladder = measured("benchmarks.serving.ladder", world.store.folder)["document"]
    document = {"benchmark": "serve", "machine": where, "world": world.told(), "results": results, "ladder": ladder}
    for table in tables.of_serve(document):
        console.print(table)
    print(json.dumps(document))


if __name__ == "__main__":
    main()
