from dataclasses import replace

import pytest

from indexer.choice.decide import Limits, Trial, decided
from indexer.choice.measure import Latency
from indexer.errors import IndexGateError, IndexSizeError
from indexer.index import Settings
from indexer.keys import parse_key


def trial(key: str, recall: float, p50_us: float, index_bytes: int = 100, flat_p50_us: float = 100.0) -> Trial:
    recalls = {"item_bias_weight 1": 1.0, "item_bias_weight 0": recall}
    latency = Latency(p50_us, 2 * p50_us)
    return Trial(parse_key(key), Settings(), Settings(), recalls, latency, flat_p50_us, index_bytes, 1.0)


FLAT = trial("Flat", 1.0, 100)
LIMITS = Limits(target_recall=0.99)


def taken(*trials: Trial, limits: Limits = LIMITS) -> str:
    return decided("recommend.faiss", trials, limits).key.text


def test_the_fastest_that_finds_enough_is_taken() -> None:
    assert taken(FLAT, trial("HNSW32", 0.989, 10), trial("HNSW16", 0.99, 30), trial("SQ8", 0.999, 50)) == "HNSW16"


def test_where_nothing_else_finds_enough_it_is_flat() -> None:
    assert taken(FLAT, trial("HNSW32", 0.9899, 10)) == "Flat"


def test_the_lowest_recall_of_a_group_counts() -> None:
    good = replace(trial("HNSW32", 0.0, 10), recalls={"a": 0.999, "b": 0.98})
    assert taken(FLAT, good) == "Flat"


def test_time_counts_as_a_multiple_of_flats_measured_beside_it() -> None:
    slow_moment = trial("HNSW16", 1.0, 60, flat_p50_us=300.0)
    assert taken(FLAT, slow_moment, trial("HNSW32", 1.0, 40)) == "HNSW16"


@pytest.mark.parametrize(("p50_us", "key"), [(31.5, "SQ8"), (31.6, "HNSW16")])
def test_of_those_as_fast_within_5_percent_the_smallest_is_taken(p50_us: float, key: str) -> None:
    assert taken(FLAT, trial("HNSW16", 1.0, 30, 400), trial("SQ8", 1.0, p50_us, 20)) == key


@pytest.mark.parametrize(("max_bytes", "key"), [(400, "HNSW16"), (399, "Flat"), (100, "Flat")])
def test_what_is_too_large_is_not_taken(max_bytes: int, key: str) -> None:
    trials = (FLAT, trial("HNSW16", 1.0, 30, 400))
    assert taken(*trials, limits=replace(LIMITS, max_bytes=max_bytes)) == key


def test_where_all_are_too_large_it_is_refused_with_the_smallest() -> None:
    limits = replace(LIMITS, max_bytes=99)
    with pytest.raises(IndexSizeError, match="the smallest index has about 100 bytes, --max-bytes allows 99"):
        decided("similar.faiss", [FLAT, trial("HNSW16", 1.0, 30, 400)], limits)


def test_where_none_finds_enough_it_is_refused_with_the_best() -> None:
    trials = [trial("HNSW16", 0.5, 10), trial("HNSW32", 0.75, 20)]
    with pytest.raises(
        IndexGateError, match=r"recall@10 is 0\.7500 with HNSW32, the target 0\.99; nothing was published"
    ):
        decided("recommend.faiss", trials, LIMITS)
    assert taken(*trials, limits=replace(LIMITS, allow_low_recall=True)) == "HNSW32"
