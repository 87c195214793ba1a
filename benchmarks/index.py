"""Which index is chosen, and what it gains: python -m benchmarks.index [--size 27k 100k 1m 10m] [--no-peers].

Items that look trained (benchmarks.vectors) of a model that `matinee train` makes of goodbooks-10k, or of synthetic
ratings where there is none; its real users ask, with what they have seen left out. `matinee index` runs in a process of
its own: seconds, peak memory, and every candidate's recall, time, bytes and build time, with the ratio to Flat of the
same run. hnswlib, usearch and scann are built over the same vectors, each set to find as much, and asked the same on
one thread (benchmarks.peers). The last line of standard output is one JSON document.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.data import BUILD, Data, prepared
from benchmarks.machine import machine
from benchmarks.process import matinee, measured, wide_console
from indexer.choice.told import HEAD, NAMES, row

SIZES = {"27k": 26_744, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
"""Items; the first is MovieLens 20M's number."""
_TARGETS = {"27k": 0.99, "100k": 0.99, "1m": 0.95, "10m": 0.95}
_FOLDER = BUILD / "index"
_MOST_FOR_PEERS = 1_000_000


def trained(console: Console) -> Path:
    """The embeddings that all sizes are made of, made once."""
    out = _FOLDER / "trained"
    if not out.exists():
        console.print("training the model whose items are multiplied", highlight=False)
        found: Data | None = prepared("goodbooks-10k", console)
        ratings = found.train if found else _FOLDER / "sample"
        if not found:
            matinee("sample", ratings, "--n-users", "50000", "--n-items", "10000", "--n-ratings", "1000000")
        matinee("train", ratings, out, "--dim", "64", "--seed", "42")
    return out


def measure(size: str, model: Path, console: Console, *, peers: bool) -> dict[str, Any]:
    """All figures of one size."""
    n_items, target = SIZES[size], _TARGETS[size]
    embeddings, store = _FOLDER / size / "embeddings", _FOLDER / size / "store"
    if not embeddings.exists():
        measured("benchmarks.vectors", model, embeddings, str(n_items))
    shutil.rmtree(store, ignore_errors=True)
    console.print(f"{size}: matinee index", highlight=False)
    report = _FOLDER / size / "index.html"
    run = matinee("index", embeddings, store, "--target-recall", str(target), "--report", report, "--overwrite")
    document = run.pop("document")
    result = {"size": size, "n_items": n_items, "target_recall": target, **run, "build_s": document["build_s"]}
    result |= {name: document["indexes"][name] for name in NAMES}
    if peers and n_items <= _MOST_FOR_PEERS:
        console.print(f"{size}: hnswlib, usearch, scann", highlight=False)
        result["peers"] = measured("benchmarks.peers", store, str(target))["document"]
    return result


def tables(result: Mapping[str, Any]) -> list[Table]:
    """For people: what was tried for each index, and the peers."""
    shown = []
    for name, called in NAMES.items():
        title = f"{result['size']}: {result['n_items']:,} items, {called}, target {result['target_recall']:g}"
        table = Table(*HEAD, title=title)
        for one in result[name]["tried"]:
            table.add_row(*row(one, result[name], result["target_recall"]))
        shown.append(table)
    if "peers" in result:
        columns = ("set to", "recall", "p50_us", "p99_us", "bytes", "build_s")
        table = Table("recommendations by", *columns, title=f"{result['size']}: others, at the same recall")
        for peer in result["peers"]:
            table.add_row(peer["name"], *(str(peer[column]) for column in columns))
        shown.append(table)
    return shown


def main() -> None:
    """Measure, print tables for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=SIZES, default=["27k", "100k", "1m"], help="how many items")
    parser.add_argument("--no-peers", action="store_true", help="leave hnswlib, usearch and scann out")
    options = parser.parse_args()
    console, where = wide_console(), machine()
    model = trained(console)
    results: Sequence[dict[str, Any]] = [
        measure(size, model, console, peers=not options.no_peers) for size in options.size
    ]
    for result in results:
        for table in tables(result):
            console.print(table)
        console.print(
            f"{result['size']}: {result['seconds']} s and {result['peak_mib']:,} MiB in all;"
            f" recommendations take {result['recommend.faiss']['flat_ratio']} of Flat's time",
            highlight=False,
        )
    print(json.dumps({"benchmark": "index", "machine": where, "results": results}))


if __name__ == "__main__":
    main()
