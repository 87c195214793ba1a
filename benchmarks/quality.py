"""How good our trainer is beside others: python -m benchmarks.quality [--data NAME …] [--only NAME …] [--afresh].

Two tables, errors of predicted ratings and rankings, each trainer in a process of its own and all before one judge
(benchmarks.judge). Others have the settings that are best on the held-out part itself; ours chooses by itself on the
training part. What is finished is kept under build/ until code or locked libraries change, so that a run that was
broken off goes on where it was. The last line of standard output is one JSON document.
"""

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import RANKING, RATING, Contestant, contestants
from benchmarks.data import NAMES, Data, prepared
from benchmarks.machine import machine
from benchmarks.process import measured, wide_console
from benchmarks.sweeps import sweeps_of

_ROOT = Path(__file__).parent.parent
_MODULES = ("anchors", "data", "ease", "item_item", "judge", "notebook")
_BEST = {RATING: ("rmse", min), RANKING: ("ndcg@10", max)}
_COLUMNS = {
    RATING: {"rmse": "RMSE"},
    RANKING: {
        "ndcg@10": "NDCG@10",
        "ndcg@10_standard_error": "±",
        "recall@20": "Recall@20",
        "n_users": "users",
        "sample_ndcg@10": "of 5,000: NDCG@10",
        "sample_recall@20": "Recall@20",
    },
}
_RESOURCES = {"fit_s": "fit s", "seconds": "process s", "peak_mib": "peak MiB", "setting": "set by hand"}


def cell(contestant: Contestant, objective: str, data: Data, *, afresh: bool, console: Console) -> dict[str, Any]:
    """The figures of one contestant: those kept, or fit and judged now."""
    name = "-".join([objective, contestant.name, *contestant.setting.replace(",", "").split()])
    folder = data.folder / "quality" / name
    kept, code = folder / "result.json", _digest(contestant)
    if kept.exists() and not afresh:
        result: dict[str, Any] = json.loads(kept.read_text())
        if result["code"] == code:
            console.print(f"{data.name} {name}: kept from {result['finished']}", highlight=False)
            return result
    console.print(f"{data.name} {name} …", highlight=False)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fitted = folder / "fitted"
    run = measured(contestant.module, *contestant.command(data, fitted), environment=contestant.environment)
    judged = measured("benchmarks.judge", data.folder, fitted, objective)
    shutil.rmtree(fitted)
    result = {
        "data": data.name,
        "name": contestant.name,
        "setting": contestant.setting,
        **judged["document"],
        "fit_s": _fit_s(contestant, run["document"]),
        "seconds": run["seconds"],
        "peak_mib": run["peak_mib"],
        "load_average": run["load_average"],
        "chosen": run["document"].get("config"),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "code": code,
    }
    kept.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _fit_s(contestant: Contestant, document: dict[str, Any]) -> float:
    """Without the start of the process and the reading."""
    return float(sweeps_of(document)["sweeps_s"] if contestant.module == "matinee" else document["fit_s"])


def _digest(contestant: Contestant) -> str:
    """Changes with whatever may change the contestant's figures."""
    sources = [_ROOT / f"benchmarks/{name}.py" for name in _MODULES]
    sources += [*_ROOT.glob("training/evaluation/*.py"), *_ROOT.glob("*.lock")]
    if contestant.module == "matinee":
        sources += _ROOT.glob("training/**/*.py")
    digest = hashlib.sha256(repr(contestant).encode())
    for source in sorted(set(sources)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def best(results: Sequence[dict[str, Any]], objective: str) -> list[dict[str, Any]]:
    """Of each data and name the best setting, in the order of `results`."""
    measure, choose = _BEST[objective]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["data"], result["name"]), []).append(result)
    return [choose(group, key=lambda result: result[measure]) for group in groups.values()]


def table(rows: Sequence[dict[str, Any]], objective: str) -> Table:
    """For people."""
    shown = Table("data", "trainer", title="errors on the held-out tenth" if objective == RATING else "rankings")
    columns = {**_COLUMNS[objective], **_RESOURCES}
    for name, header in columns.items():
        shown.add_column(header, justify="left" if name == "setting" else "right")
    for row in rows:
        shown.add_row(row["data"], row["name"], *("–" if row.get(name) is None else str(row[name]) for name in columns))
    return shown


def main() -> None:
    """Measure, print two tables for people and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["ml-latest-small", "goodbooks-10k"], help=f"{NAMES} or a path")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these trainers alone, as they are called in the tables"
    )
    parser.add_argument("--afresh", action="store_true", help="measure again what is kept")
    options = parser.parse_args()
    console, where = wide_console(), machine()
    found = [data for name in options.data if (data := prepared(name, console))]
    document: dict[str, Any] = {"benchmark": "quality", "machine": where}
    for objective in (RATING, RANKING):
        results = [
            cell(contestant, objective, data, afresh=options.afresh, console=console)
            for data in found
            for contestant in contestants(objective, data)
            if options.only is None or contestant.name in options.only
        ]
        document[objective] = best(results, objective)
        if results:
            console.print(table(document[objective], objective))
    print(json.dumps(document))


if __name__ == "__main__":
    main()
