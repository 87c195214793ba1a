"""The processes that benchmarks start are real ones, and what is asked of them is known."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving import servers
from benchmarks.serving.asker import Asker
from benchmarks.serving.flips import flipping, flips_of
from benchmarks.serving.known import WRONG, known
from benchmarks.serving.processes import holdings
from benchmarks.serving.questions import answers, spread_over_seen
from benchmarks.serving.servers import empty, serving
from benchmarks.serving.worlds import NEWER, OLDER, World
from tests.benchmarks.moments import evenly
from tests.server.running import publish
from tests.world import random_embeddings


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two versions that answer every user in another way."""
    monkeypatch.setattr(servers, "LOG", tmp_path / "server.log")
    worlds = {OLDER: random_embeddings(30, 200, seed=1), NEWER: random_embeddings(30, 300, seed=2)}
    versions = {age: publish(tmp_path / "store", embeddings) for age, embeddings in worlds.items()}
    return World("tiny", tmp_path, versions)


def test_versions_that_change_under_load_are_told_apart_answer_by_answer(world: World) -> None:
    calls = [question.call for question in spread_over_seen(world.newest, 4)]
    right = known(world, "grpcio", calls)
    assert right.told_apart == len(calls)
    with serving(world.store.folder, "grpcio", "--poll-interval-s", "0.05") as server:
        assert server.ready_s > 0
        assert holdings(server.pid)["handles"] > 3
        flipper = flipping(world, 3, 0.1, 0.5)
        with Asker(server.address, calls, right.version_of) as asker:
            asked = asker.ask(*evenly(400, 2.0, len(calls)))
        flips = flips_of(flipper)
    assert [flip["version"] for flip in flips] == [world.versions[age] for age in (OLDER, NEWER, OLDER)]
    assert all(flip["begun_us"] <= flip["flipped_us"] for flip in flips)
    assert set(asked.statuses) == {0}
    assert set(asked.judgements) == {0, 1}
    assert WRONG not in asked.judgements


@pytest.mark.parametrize("transport", ["grpcio", "native"])
def test_an_empty_handler_answers_with_the_bytes_that_it_was_given(world: World, transport: str) -> None:
    calls = [question.call for question in spread_over_seen(world.newest, 2)]
    with empty(transport, b"as long as a real answer") as address:
        assert [data[5:] for data in answers(address, calls)] == [b"as long as a real answer"] * 2


def test_a_server_that_does_not_start_is_told_with_its_own_words(world: World) -> None:
    with pytest.raises(SystemExit, match="no such flag"), serving(world.store.folder, "grpcio", "--no such flag"):
        pass


def test_a_world_tells_what_its_figures_travel_with(world: World) -> None:
    told = world.told()
    assert (told["n_items"], told["n_users"], told["version"]) == (300, 30, world.versions[NEWER])
    assert np.isclose(told["recall"]["recall@10"], 1.0)
    assert told["index_key"]
