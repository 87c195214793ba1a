from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.build import BuildOptions, build_bundle
from indexer.errors import CurrentError, PublishGateError, StoreBusyError
from indexer.gatekeeper import Gatekeeper
from indexer.gates import Figures, Gates, MetricGate, Passed, judge, parse_metric_gate
from indexer.store import Store
from tests.indexer.test_commands import Told
from tests.world import random_embeddings
from training.embeddings import Embeddings, write_embeddings


def figures(overlap: float | None = 1.0, before: float = 0.5, after: float = 0.5, name: str = "test.rmse") -> Figures:
    return Figures(overlap, {name: before}, {name: after})


@pytest.mark.parametrize(
    ("overlap", "passes"), [(0.71, True), (0.7, True), (np.nextafter(0.7, 0), False), (0.0, False)]
)
def test_an_overlap_below_the_limit_is_stopped(overlap: float, passes: bool) -> None:
    if passes:
        assert judge(Gates(0.7), figures(overlap)) == [Passed("overlap@10", overlap, 0.7)]
    else:
        with pytest.raises(PublishGateError, match=rf"--gate-overlap: users keep {overlap:.4f} .* the limit is 0\.7; "):
            judge(Gates(0.7), figures(overlap))


@pytest.mark.parametrize(
    ("name", "before", "after", "passes"),
    [
        ("test.rmse", 0.9, 0.91, True),
        ("test.rmse", 0.9, 0.9101, False),
        ("test.rmse", 0.9, 0.5, True),
        ("val_rmse", 0.9, 0.92, False),
        ("test.mae", 0.7, 0.72, False),
        ("val_ndcg@10", 0.25, 0.24, True),
        ("val_ndcg@10", 0.25, 0.2399, False),
        ("val_ndcg@10", 0.25, 0.9, True),
        ("recall@20", 0.3, 0.28, False),
    ],
)
def test_a_metric_that_is_worse_by_more_than_the_limit_is_stopped(
    name: str, before: float, after: float, passes: bool
) -> None:
    gates = Gates(metrics=(MetricGate(name, 0.01),))
    if passes:
        assert [passed.gate for passed in judge(gates, figures(None, before, after, name))] == [name]
    else:
        with pytest.raises(PublishGateError) as stopped:
            judge(gates, figures(None, before, after, name))
        said = str(stopped.value)
        for words in (name, f"{before:.4f}", f"{after:.4f}", "the limit is 0.01", "nothing was published"):
            assert words in said


def test_a_limit_of_0_lets_nothing_through_that_is_worse_and_what_is_equal() -> None:
    gates = Gates(metrics=(MetricGate("test.rmse", 0.0),))
    assert judge(gates, figures()) == [Passed("test.rmse", 0.0, 0.0)]
    with pytest.raises(PublishGateError):
        judge(gates, figures(after=0.5001))


@pytest.mark.parametrize("which", ["before", "after"])
@pytest.mark.parametrize("value", [{}, {"test.rmse": float("nan")}])
def test_a_metric_that_one_of_them_lacks_is_stopped_with_what_there_is(which: str, value: dict[str, float]) -> None:
    metrics = {"test.mae": 0.7, **value}
    lacking = replace(figures(), before=metrics) if which == "before" else replace(figures(), after=metrics)
    whose = {"before": "the current version", "after": "the new version"}[which]
    with pytest.raises(PublishGateError, match=rf"{whose} has no metric 'test.rmse' \(it has: test.mae"):
        judge(Gates(metrics=(MetricGate("test.rmse", 0.01),)), lacking)


def test_an_overlap_of_nobody_is_stopped() -> None:
    with pytest.raises(PublishGateError, match="no user is in both"):
        judge(Gates(0.0), figures(None))


def test_all_gates_are_asked() -> None:
    gates = Gates(0.5, (MetricGate("test.rmse", 0.01), MetricGate("test.rmse", 0.0)))
    assert len(judge(gates, figures())) == 3
    assert judge(Gates(), figures(None)) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be NAME:MAX_LOSS"),
        ("rmse", "must be NAME:MAX_LOSS"),
        (":0.1", "must be NAME:MAX_LOSS"),
        ("rmse:", "must be a number"),
        ("rmse:x", "must be a number"),
        ("rmse:-0.1", "must be 0 or more"),
        ("rmse:nan", "must be 0 or more"),
        ("rmse:inf", "must be 0 or more"),
        ("best_sweep:1", "whether higher is better"),
    ],
)
def test_what_is_no_gate_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_metric_gate(text)


def test_a_gate_is_name_and_limit() -> None:
    assert parse_metric_gate("val_ndcg@10:0.02") == MetricGate("val_ndcg@10", 0.02)


OLD = random_embeddings(n_users=20, n_items=40)
NEAR = replace(OLD, item_biases=OLD.item_biases + np.float32(0.01) * (np.arange(40) % 3 == 0).astype(np.float32))
FAR = replace(OLD, user_embeddings=-OLD.user_embeddings, item_biases=-OLD.item_biases)


def measured(embeddings: Embeddings, **metrics: Any) -> Embeddings:
    return replace(embeddings, description={**embeddings.description, "metrics": metrics})


def publish(store: Store, embeddings: Embeddings, gatekeeper: Gatekeeper | None = None) -> str:
    options = BuildOptions(index_key="Flat")
    check = gatekeeper.check if gatekeeper else None
    return store.publish(lambda draft: build_bundle(embeddings, draft, options), check=check)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_moves_too_far_is_not_published_and_leaves_nothing(store: Store) -> None:
    first = publish(store, OLD)
    with pytest.raises(PublishGateError, match="--gate-overlap"):
        publish(store, FAR, Gatekeeper(Gates(0.5)))
    assert (store.versions(), store.current()) == ([first], first)
    assert list(store.folder.glob("**/.*")) == []


def test_what_moves_little_is_published_and_told(store: Store) -> None:
    first, gatekeeper = publish(store, OLD), Gatekeeper(Gates(0.5))
    second = publish(store, NEAR, gatekeeper)
    assert store.current() == second
    assert gatekeeper.told is not None
    assert gatekeeper.told["compared_with"] == first
    assert [gate["gate"] for gate in gatekeeper.told["passed"]] == ["overlap@10"]


def test_the_comparison_is_with_what_is_current_when_it_is_published(store: Store) -> None:
    first, _ = publish(store, OLD), publish(store, FAR)
    store.activate(first)
    gatekeeper = Gatekeeper(Gates(0.5))
    publish(store, NEAR, gatekeeper)
    assert gatekeeper.told is not None
    assert gatekeeper.told["compared_with"] == first


def test_nobody_can_change_the_store_between_gate_and_publication(store: Store) -> None:
    first = publish(store, OLD)
    refused: list[str] = []

    def check(_current: object, _new: object) -> None:
        with pytest.raises(StoreBusyError) as told:
            store.activate(first)
        refused.append(str(told.value))
        assert store.versions() == [first]

    store.publish(lambda draft: build_bundle(NEAR, draft, BuildOptions(index_key="Flat")), check=check)
    assert len(refused) == 1


def test_where_current_is_damaged_a_gate_publishes_nothing(store: Store) -> None:
    first = publish(store, OLD)
    (store.folder / "CURRENT").write_text("nonsense")
    with pytest.raises(CurrentError, match="repair it with"):
        publish(store, NEAR, Gatekeeper(Gates(0.5)))
    assert store.versions() == [first]


def test_the_first_publish_passes_and_says_why(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_embeddings(OLD, tmp_path / "old")
    gates = ["--gate-overlap", "1", "--gate-metric", "test.rmse:0"]
    told = Told(capsys, "index", tmp_path / "old", store.folder, "--index-key", "Flat", *gates)
    assert told.status == 0
    assert "passed: nothing was current to compare with" in told.output


def test_index_obeys_its_gates_and_tells_their_figures(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, model, rmse in (("old", OLD, 0.9), ("near", NEAR, 0.905), ("worse", NEAR, 0.95)):
        write_embeddings(measured(model, test={"rmse": rmse}), tmp_path / name)
    gates = ["--index-key", "Flat", "--gate-overlap", "0.5", "--gate-metric", "test.rmse:0.01", "--json"]
    assert (
        Told(capsys, "index", tmp_path / "old", store.folder, "--index-key", "Flat", "--json").document["gates"] is None
    )
    first = store.current()
    told = Told(capsys, "index", tmp_path / "worse", store.folder, *gates)
    assert (told.status, told.complaint.count("\n"), told.output) == (1, 1, "")
    assert "test.rmse is 0.9500, 0.0500 worse than the current version's 0.9000, the limit is 0.01" in told.complaint
    assert store.versions() == [first]
    document = Told(capsys, "index", tmp_path / "near", store.folder, *gates).document
    assert document["gates"]["compared_with"] == first
    assert [gate["gate"] for gate in document["gates"]["passed"]] == ["overlap@10", "test.rmse"]
    assert store.current() == document["version"]


@pytest.mark.parametrize("flags", [["--gate-overlap", "1.1"], ["--gate-metric", "rmse"], ["--gate-metric", "n_cold:1"]])
def test_a_gate_that_is_none_is_wrong_usage(
    flags: list[str], store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Told(capsys, "index", tmp_path, store.folder, *flags).status == 2
    assert not store.folder.exists()
