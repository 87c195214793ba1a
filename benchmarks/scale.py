"""The whole chain at the shape of MovieLens 20M, each step a process: seconds and peak memory.

    python -m benchmarks.scale [--folder DIR] [--n-users N --n-items N --n-ratings N]

The data is synthetic, so nothing is fetched. What the server holds and how soon it is ready are read from outside the
process: from its start to the first health check that says SERVING, and its resident memory after 1,000 answers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.process import matinee
from matinee import Client


def serving(store: Path, user_ids: list[str]) -> dict[str, Any]:
    """Start the server: seconds until it is ready, resident MiB after 1,000 answers, milliseconds of an answer."""
    command = [sys.executable, "-m", "matinee", "serve", str(store), "--address", "127.0.0.1:0", "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    with Client(address) as client:
        client.wait_until_ready(timeout_s=60)
        ready_s = time.perf_counter() - started
        times_ms = sorted(_answer_ms(client, user_ids[turn % len(user_ids)]) for turn in range(1000))
        resident = _resident_mib(process.pid)
    process.terminate()
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    return {
        "ready_s": round(ready_s, 2),
        "resident_mib": resident["VmRSS"],
        "resident_anonymous_mib": resident["RssAnon"],
        "python_client_p50_ms": round(times_ms[500], 3),
        "python_client_p99_ms": round(times_ms[990], 3),
    }


def _answer_ms(client: Client, user_id: str) -> float:
    started = time.perf_counter()
    client.recommend(user_id, k=10)
    return 1000 * (time.perf_counter() - started)


def _resident_mib(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines if line.startswith(("VmRSS", "RssAnon"))}


def chain(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every step once, in `folder`."""
    data, embeddings, store = folder / "ratings", folder / "embeddings", folder / "store"
    shape = ["--n-users", options.n_users, "--n-items", options.n_items, "--n-ratings", options.n_ratings]
    steps = {"sample": matinee("sample", data, *map(str, shape), "--seed", "1", "--overwrite")}
    steps["load"] = matinee("ratings", data)
    steps["train"] = matinee("train", data, embeddings, "--overwrite")
    steps["index"] = matinee("index", embeddings, store)
    steps["serve"] = serving(store, [str(1 + user * 97 % options.n_users) for user in range(1000)])
    for step in steps.values():
        step.pop("document", None)
    return steps


def main() -> None:
    """Measure, print a table for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder, removed at the end")
    parser.add_argument("--n-users", type=int, default=138_493)
    parser.add_argument("--n-items", type=int, default=26_744)
    parser.add_argument("--n-ratings", type=int, default=20_000_263)
    options = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="matinee-scale-") as temporary:
        steps = chain(options.folder or Path(temporary), options)
    table = Table("step", "seconds", "peak MiB", "more", title="the whole chain, a process a step")
    for name, step in steps.items():
        more = "  ".join(f"{key} {value}" for key, value in step.items() if key not in ("seconds", "peak_mib"))
        table.add_row(name, str(step.get("seconds", "")), str(step.get("peak_mib", "")), more)
    Console(stderr=True).print(table)
    shape = {name: getattr(options, name) for name in ("n_users", "n_items", "n_ratings")}
    print(json.dumps({"benchmark": "scale", **shape, "seed": 1, "machine": where, "steps": steps}))


if __name__ == "__main__":
    main()
