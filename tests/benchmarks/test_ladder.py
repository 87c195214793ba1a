"""The rungs are of the real functions, and together they are the whole."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.serving.calls import Answer
from benchmarks.serving.known import WRONG, Known
from benchmarks.serving.ladder import RUNGS, rungs
from benchmarks.serving.mix import SERVICE, mixed
from benchmarks.serving.questions import spread_over_seen
from benchmarks.serving.spans import Spans
from matinee.v1 import recommender_pb2 as pb
from server.retriever import Retriever
from tests.server.running import every_share_seen, opened
from tests.world import random_embeddings


def test_every_rung_has_its_share_of_a_real_call(tmp_path: Path) -> None:
    bundle = opened(tmp_path, random_embeddings(30, 500))
    told = rungs(Retriever(bundle), spread_over_seen(bundle, 4), rounds=5)
    assert tuple(told["rungs"]) == RUNGS
    assert all(times["p50_us"] > 0 and times["n"] == 20 for times in told["rungs"].values())
    assert told["whole"]["n"] == 20


def test_a_moment_is_charged_to_the_innermost_rung() -> None:
    inner = SimpleNamespace(work=lambda: time.sleep(0.02))

    def work() -> None:
        inner.work()
        time.sleep(0.01)
        inner.work()

    outer = SimpleNamespace(work=work)
    spans = Spans()
    with spans.around([("outer", outer, "work"), ("inner", inner, "work")]):
        spans.begin()
        outer.work()
    told = spans.told(["outer", "inner"])
    assert told["inner"]["p50_us"] >= 40_000
    assert told["outer"]["p50_us"] >= 10_000
    wrapped = inner.work
    with spans.around([("inner", inner, "work")]):
        assert inner.work is not wrapped
    assert inner.work is wrapped


def test_users_are_spread_over_what_they_have_seen(tmp_path: Path) -> None:
    bundle = opened(tmp_path, every_share_seen(25, 120))
    questions = spread_over_seen(bundle, 5)
    assert [question.n_seen for question in questions] == [10, 35, 60, 85, 110]
    asked = pb.RecommendRequest.FromString(questions[2].message)
    row = bundle.catalogue.user_ids.row(asked.user_id)
    assert row is not None
    assert len(bundle.catalogue.seen[row]) == 60
    assert asked.k == 10
    assert not asked.include_seen


def test_an_answer_is_of_one_version_or_wrong() -> None:
    known = Known(["old", "new"], [[b"a", b"same"], [b"b", b"same"]])
    answers = [Answer(1, 0, data) for data in (b"a", b"b", b"ab", b"")]
    assert [known.version_of(0, answer) for answer in answers] == [0, 1, WRONG, WRONG]
    assert known.told_apart == 1


def test_the_soak_calls_every_method_with_ids_of_both_versions(tmp_path: Path) -> None:
    bundles = (
        opened(tmp_path, random_embeddings(30, 200, seed=1)),
        opened(tmp_path, random_embeddings(40, 90, seed=2)),
    )
    mix = mixed(bundles, seed=1)
    assert set(mix.methods) == {method.name for method in SERVICE.methods}
    assert np.isclose(sum(mix.shares), 1)
    similar = [
        pb.SimilarItemsRequest.FromString(call.body[5:]).item_id
        for method, call in zip(mix.methods, mix.calls, strict=True)
        if method == "SimilarItems"
    ]
    assert all(bundle.catalogue.item_ids.row(item_id) is not None for bundle in bundles for item_id in similar)
