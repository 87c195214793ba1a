"""The figures for people, with the targets beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

# Of MovieLens 20M's shape, by transport: p50 and p99 of one connection in ms, requests/s of 16; and for both: the ratio
# of p50 to the empty handler's, seconds to SERVING, MB resident, MB for each further worker.
_LATENCY_MS = {"grpcio": (0.50, 0.90), "native": (0.36, 0.60)}
_PER_S = {"grpcio": 4_500, "native": 12_000}
_RATIO, _READY_S, _RESIDENT_MB, _WORKER_MB = 1.3, 1.0, 300, 80
_MILLION_P50_MS = 1.0
_WORDS = ("transport", "load", "rung", "")


def of_serve(document: Mapping[str, Any]) -> list[Table]:
    """Latency and throughput, the ladder, and what a process costs."""
    return [_speed(document), *(_ladder(document, result) for result in document["results"]), _processes(document)]


def _speed(document: Mapping[str, Any]) -> Table:
    world = document["world"]
    title = (
        f"{world['size']}: {world['n_items']:,} items, {world['n_users']:,} users, dim {world['dim']},"
        f" {world['index_key']}, recall@10 {world['recall']['recall@10']:.4f}"
    )
    table = _table(title, "transport", "load", "measured", "target", "empty handler")
    for result in document["results"]:
        name, one, many = result["transport"], result["one_connection"], result["many_connections"]
        p50, p99 = _LATENCY_MS[name] if world["size"] == "20m" else (_MILLION_P50_MS, None)
        turns = one["another_user_each_call"]
        table.add_row(name, "1 connection: p50", *_ms(one, "p50_us", p50))
        table.add_row(name, "1 connection: p99", *_ms(one, "p99_us", p99))
        table.add_row(name, "p50 / empty handler's", f"{one['p50_ratio_to_empty']:.2f}", f"≤ {_RATIO}", "1")
        table.add_row(name, "p50, another user each call, Python client", *_ms(turns, "p50_us", None))
        table.add_row(
            name,
            f"{many['connections']} connections: requests/s",
            f"{many['per_s']:,.0f}",
            f"≥ {_PER_S[name]:,}",
            f"{many['empty_per_s']:,.0f}",
        )
    return table


def _ladder(document: Mapping[str, Any], result: Mapping[str, Any]) -> Table:
    one, inside = result["one_connection"], document["ladder"]
    table = _table(f"the ladder, {result['transport']}", "rung", "p50 µs", "p99 µs")
    rows: list[tuple[str, Mapping[str, float]]] = [
        ("socket, Python at both ends", result["socket"]),
        ("transport: empty handler", one["empty"]),
        *((f"  {rung}", times) for rung, times in inside["rungs"].items()),
        ("  their sum", {"p50_us": sum(times["p50_us"] for times in inside["rungs"].values())}),
        ("all of these in the process, without timers", inside["whole"]),
        ("served", one),
        ("served − transport − in the process: threads, caches", {"p50_us": unexplained_us(one, inside["whole"])}),
    ]
    for name, times in rows:
        table.add_row(name, *(f"{times[which]:.1f}" if which in times else "" for which in ("p50_us", "p99_us")))
    return table


def unexplained_us(one: Mapping[str, Any], inside: Mapping[str, float]) -> float:
    """What a served call takes beyond the transport's p50 and the p50 of what is done in the process."""
    return float(one["p50_us"] - one["empty"]["p50_us"] - inside["p50_us"])


def _processes(document: Mapping[str, Any]) -> Table:
    table = _table("what a process costs", "transport", "", "measured", "target")
    for result in document["results"]:
        name, cold, held = result["transport"], result["cold_start"], result["memory"]
        table.add_row(name, "seconds to SERVING, median", f"{cold['ready_s']:.2f}", f"≤ {_READY_S:g}")
        table.add_row(name, "seconds to SERVING, slowest", f"{cold['slowest_s']:.2f}", "")
        table.add_row(name, "resident MB", f"{held['resident_mb']:.0f}", f"≤ {_RESIDENT_MB}")
        table.add_row(name, "of which private MB", f"{held['private_mb']:.0f}", "")
        for before, after in zip(result["workers"], result["workers"][1:], strict=False):
            more = (after["proportional_mb"] - before["proportional_mb"]) / (after["workers"] - before["workers"])
            step = f"{before['workers']} → {after['workers']} workers"
            table.add_row(name, f"{step}: MB for each", f"{more:.0f}", f"≤ {_WORKER_MB}")
            gained = f"{before['per_s']:,.0f} → {after['per_s']:,.0f}"
            table.add_row(name, f"{step}: requests/s", gained, "")
    return table


def _ms(times: Mapping[str, Any], which: str, target_ms: float | None) -> Sequence[str]:
    target = "" if target_ms is None else f"≤ {target_ms:.2f} ms"
    return f"{times[which] / 1000:.3f} ms", target, f"{times['empty'][which] / 1000:.3f} ms"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column in _WORDS else "right")
    return table
