"""What the benchmarks of the server make of what came back."""

from typing import Any

import numpy as np
import pytest

from benchmarks import overload, soak, swap
from benchmarks.serving.asker import Asked
from benchmarks.serving.calls import request
from benchmarks.serving.h2load import Calls
from benchmarks.serving.known import WRONG, Known
from benchmarks.serving.mix import Mix
from benchmarks.serving.tables import of_serve

MS, S = 1000, 1_000_000
KNOWN = Known(["old", "new"], [[b"a"], [b"b"]])


def every_ms(seconds: float) -> Asked:
    n = int(1000 * seconds)
    return Asked([0] * n, list(range(0, n * MS, MS)), [100] * n, [0] * n, [0] * n)


def test_the_bytes_of_a_flood_tell_how_much_of_it_was_accepted() -> None:
    starts = np.arange(0, S, 100)
    flood = Calls(starts, np.full(len(starts), 50), 2_500 * 400, 0)
    told = overload.of_flood([flood], [400])["flood"]
    assert told["shed_share"] == 0.75
    assert told["accepted_per_s"] == pytest.approx(2_500, rel=0.01)
    assert told["offered_per_s"] == pytest.approx(10_000, rel=0.01)


def test_shed_probes_do_not_count_as_fast_answers() -> None:
    starts = np.arange(0, 3 * S, MS)
    under_flood = (starts >= S) & (starts < 2 * S)
    shed = under_flood & (starts // MS % 2 == 0)
    times = np.where(shed, 10, np.where(under_flood, 900, 100))
    flood = Calls(np.array([S, 2 * S - 1]), np.array([5, 5]), 0, 0)
    told = overload.of_probes((starts, times, np.where(shed, 8, 0)), flood, unloaded_p99_us=150)
    assert told["accepted"]["p99_us"] == 900
    assert told["p99_ratio_to_unloaded"] == 6
    assert told["shed"]["p99_us"] == 10
    assert told["probes_shed_share"] == 0.5
    assert told["other_statuses"] == {}
    assert told["back_after_s"] == pytest.approx(0.1)


def test_errors_wrong_answers_and_swaps_that_nobody_saw_are_counted() -> None:
    asked = every_ms(10)
    asked.judgements[5_000:] = [1] * 5_000
    asked.judgements[7] = WRONG
    asked.judgements[8], asked.statuses[8] = WRONG, 14
    flips = [
        {"version": "new", "begun_us": 4.5 * S, "flipped_us": 4.8 * S},
        {"version": "old", "begun_us": 9.0 * S, "flipped_us": 9.1 * S},
    ]
    told = swap.judged(asked, flips, KNOWN)
    assert (told["calls"], told["errors"], told["wrong_answers"]) == (10_000, 1, 1)
    assert (told["swaps"], told["swaps_not_followed"]) == (1, 1)
    assert told["seconds_to_first_answer"]["median"] == pytest.approx(0.2)


def test_a_soak_tells_its_methods_apart() -> None:
    asked = Asked([0, 1, 1, 1], [0, 1, 2, 3], [10, 20, 20, 20], [0, 0, 3, 0], [0, 1, WRONG, WRONG])
    mix = Mix(["Recommend", "GetItems", "SimilarItems"], [request("/x", b"")] * 3, [1, 0, 0])
    told = soak.of_calls(asked, mix, KNOWN)
    assert (told["errors"], told["wrong_answers"]) == (1, 1)
    assert told["by_method"]["GetItems"] == {
        "errors": 1, "wrong_answers": 1, "p50_us": 20.0, "p99_us": 20.0, "n": 3
    }  # fmt: skip
    assert told["by_method"]["SimilarItems"] == {"errors": 0, "wrong_answers": 0, "n": 0}
    assert told["answers_by_version"] == {"old": 1, "new": 1}


@pytest.mark.parametrize("size", ["20m", "1m"])
def test_the_tables_are_made_of_every_figure(size: str) -> None:
    times = {"p50_us": 100.0, "p99_us": 200.0, "n": 3}
    one: dict[str, Any] = {**times, "empty": times, "p50_ratio_to_empty": 1.0}
    memory = {"resident_mb": 100.0, "proportional_mb": 80.0, "private_mb": 60.0}
    result = {
        "transport": "native",
        "one_connection": {**one, "another_user_each_call": one},
        "many_connections": {"connections": 16, "per_s": 9.0, "empty_per_s": 10.0},
        "socket": times,
        "memory": memory,
        "cold_start": {"ready_s": 0.5, "slowest_s": 0.6, "starts": 2},
        "workers": [{"workers": n, "per_s": 9.0 * n, **memory} for n in (1, 2)],
    }
    counts = {"n_items": 10, "n_users": 20, "dim": 4, "index_key": "Flat", "recall": {"recall@10": 1.0}}
    ladder = {"rungs": {"search": times}, "whole": times}
    tables = of_serve({"world": {"size": size, **counts}, "results": [result], "ladder": ladder})
    assert [table.row_count for table in tables] == [5, 7, 6]
