"""Our trainer beside the notebook's code: python -m benchmarks.train [--data NAME …] [--full] [--epochs-of-notebook N].

Both are fit to the same ratings, each in a process of its own, and both are judged on the same held-out tenth.

Ratings/s. The notebook: ratings in its steps, over their time, without the first steps of each epoch. Ours: an
alternating sweep, users then items, counts each rating once; ratings in all sweeps, those that choose hyper-parameters
too, over their time, which includes their judging. The start of the process and the reading count for neither, and
stand in `seconds` for both.

Seconds to the notebook's best. The notebook: from the start of its fit to the end of its best epoch by its held-out
RMSE. Ours: from the start of the fit, hyper-parameters still to be chosen, to the end of the first sweep after which
the RMSE on the same ratings is as low (benchmarks.curve); and to the finished model, which is much better.

The notebook runs to its end on data of less than two million ratings, and under --full on all; else it runs some
hundred steps for its speed alone, and no seconds to its best are given: nothing is extrapolated.

Warm start. A model of 98 % of the training ratings, chosen at random, is trained again on all of them, from scratch and
with --warm-start; both fits' seconds and held-out RMSE. The last line of standard output is one JSON document.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.data import NAMES, NEW_FRACTION, Data, prepared
from benchmarks.machine import machine
from benchmarks.process import matinee, measured, wide_console
from benchmarks.sweeps import sweeps_of

DIM, SEED = "64", "42"
_WHOLE_BELOW = 2_000_000


def notebook(data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """The yardstick's figures."""
    whole = options.full or data.n_train < _WHOLE_BELOW
    fitted = data.folder / "notebook"
    epochs = ("--epochs", str(options.epochs_of_notebook), "--out", fitted)
    steps = ("--steps", str(options.steps))
    run = measured("benchmarks.notebook", data.train, data.test, *(epochs if whole else steps))
    document = run["document"]
    result = {
        "ran": f"{len(document['history'])} epochs" if whole else f"{options.steps} steps",
        "ratings_per_s": document["ratings_per_s"],
        "seconds": run["seconds"],
        "peak_mib": run["peak_mib"],
        "load_average": run["load_average"],
    }
    if whole:
        best = min(document["history"], key=lambda epoch: epoch["val_rmse"])
        result |= {"best_epoch": best["epoch"], "best_rmse": best["val_rmse"], "seconds_to_best": best["seconds"]}
        result["history"] = document["history"]
    return result


def ours(data: Data, ratings: Path, name: str, *flags: str | Path) -> dict[str, Any]:
    """The figures of `matinee train` on `ratings`; what it writes is left in `name`."""
    out = data.folder / name
    run = matinee("train", ratings, out, "--dim", DIM, "--seed", SEED, "--overwrite", *flags)
    document = run["document"]
    judged = measured("benchmarks.judge", data.folder, out, "rating")["document"]
    return {
        **sweeps_of(document),
        # As the notebook's: not clipped to the scale.
        "rmse": judged["rmse_unclipped"],
        "rmse_clipped": judged["rmse"],
        "seconds": run["seconds"],
        "peak_mib": run["peak_mib"],
        "load_average": run["load_average"],
        "config": document["config"],
    }


def compared(data: Data, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> dict[str, Any]:
    """The ratios; without those to the notebook's best where it did not run for it, or ours did not get there."""
    result: dict[str, Any] = {"ratings_per_s_ratio": round(mine["ratings_per_s"] / theirs["ratings_per_s"], 1)}
    if "best_rmse" not in theirs:
        return result | {"to_best": "not measured: the notebook ran for its speed alone; --full runs it to its end"}
    curve = measured("benchmarks.curve", data.folder, "--dim", DIM, "--seed", SEED)["document"]
    reached = [sweep["seconds"] for sweep in curve["sweeps"] if sweep["rmse"] <= theirs["best_rmse"]]
    result |= {"curve": curve["sweeps"], "finished_s": curve["fit_s"]}
    if not reached or mine["rmse"] > theirs["best_rmse"]:
        return result | {"to_best": "ours did not reach the notebook's best"}
    ratios = {
        name: round(theirs["seconds_to_best"] / seconds, 1)
        for name, seconds in (("to_best_ratio", reached[0]), ("finished_ratio", curve["fit_s"]))
    }
    return result | {"to_best": "measured", "seconds_to_best": reached[0], **ratios}


def retrained(data: Data, scratch: Mapping[str, Any]) -> dict[str, Any]:
    """What a warm start gains over `scratch` when 2 % of the ratings are new."""
    ours(data, data.known, "known")
    warm = ours(data, data.train, "warm", "--warm-start", data.folder / "known")
    return {
        "new_fraction": NEW_FRACTION,
        "warm": warm,
        "rmse_difference": round(warm["rmse"] - scratch["rmse"], 5),
        "sweeps_ratio": round(scratch["sweeps_s"] / warm["sweeps_s"], 1),
        "seconds_ratio": round(scratch["seconds"] / warm["seconds"], 1),
    }


def measure(data: Data, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All figures of one set of ratings."""
    console.print(f"{data.name}: matinee train", highlight=False)
    mine = ours(data, data.train, "scratch")
    console.print(f"{data.name}: warm start", highlight=False)
    warm = retrained(data, mine)
    console.print(f"{data.name}: the notebook", highlight=False)
    theirs = notebook(data, options)
    counts = {name: getattr(data, name) for name in ("name", "n_train", "n_test", "n_users", "n_items")}
    return {
        **counts,
        "dim": int(DIM),
        "notebook": theirs,
        "ours": mine,
        **compared(data, theirs, mine),
        "warm_start": warm,
    }


def table(results: Sequence[Mapping[str, Any]]) -> Table:
    """For people: the notebook, ours from scratch and ours from a warm start, for each set of ratings."""
    columns = ("ratings/s", "ratio", "s to its best RMSE", "ratio", "s of sweeps", "held-out RMSE", "s of process")
    shown = Table("data", "trainer", title="our trainer beside the notebook's code")
    for column in (*columns, "peak MiB"):
        shown.add_column(column, justify="right")
    for result in results:
        theirs, mine, warm = result["notebook"], result["ours"], result["warm_start"]["warm"]
        speed, to_best = result["ratings_per_s_ratio"], (result.get("seconds_to_best"), result.get("to_best_ratio"))
        rows: list[tuple[str, Sequence[Any], Mapping[str, Any]]] = [
            (f"the notebook, {theirs['ran']}", (None, theirs.get("seconds_to_best"), None), theirs),
            ("ours", (speed, *to_best), mine),
            ("ours, warm start", (None, None, None), warm),
        ]
        for name, ratios, run in rows:
            resources = (run.get("sweeps_s"), run.get("rmse", run.get("best_rmse")), run["seconds"], run["peak_mib"])
            figures = (run["ratings_per_s"], *ratios, *resources)
            shown.add_row(result["name"], name, *("–" if figure is None else f"{figure:,}" for figure in figures))
    return shown


def main() -> None:
    """Measure, print a table for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["goodbooks-10k", "synthetic-20m"], help=f"{NAMES} or a path")
    parser.add_argument("--full", action="store_true", help="run the notebook to its end, 20 million ratings too")
    parser.add_argument(
        "--epochs-of-notebook", type=int, default=20, help="at most so many, where it runs whole epochs"
    )
    parser.add_argument("--steps", type=int, default=400, help="where the notebook runs for its speed alone")
    options = parser.parse_args()
    console, where = wide_console(), machine()
    found = [data for name in options.data if (data := prepared(name, console))]
    results = [measure(data, options, console) for data in found]
    console.print(table(results))
    print(json.dumps({"benchmark": "train", "machine": where, "results": results}))


if __name__ == "__main__":
    main()
