"""Versions change under load, and nobody notices."""

import gc
import weakref
from pathlib import Path

import pytest

from indexer.store import Store
from server.live import Live
from server.retriever import Options, Retriever
from tests.server.hammer import Hammer, wait_for_version, wait_until
from tests.server.running import asking, building, opened, publish, running
from tests.world import random_embeddings

pytestmark = pytest.mark.usefixtures("transport")


def test_versions_flip_twenty_times_under_load_without_an_error_or_a_mixed_answer(tmp_path: Path) -> None:
    # The numbers of users and items differ: rows of one version would be out of the other's bounds.
    first, second = random_embeddings(30, 200, seed=1), random_embeddings(40, 300, dim=12, seed=2)
    store = Store(tmp_path)
    worlds = {publish(tmp_path, first): first, publish(tmp_path, second): second}
    with running(tmp_path) as server, Hammer(server, worlds) as hammer:
        for flip in range(20):
            version = list(worlds)[flip % 2]
            store.activate(version)
            wait_for_version(server, version)
            hammer.wait_for_answers(20)
    assert hammer.wrong == []
    assert hammer.versions == set(worlds)


def test_the_old_version_answers_while_a_new_one_is_published(tmp_path: Path) -> None:
    worlds = {publish(tmp_path, world): world for world in [random_embeddings(30, 50)]}
    with running(tmp_path) as server, Hammer(server, worlds, n_threads=2) as hammer:
        for seed in range(3, 8):
            world = random_embeddings(30, 50, seed=seed)
            # An answer may name the version as soon as it is current, so its name must be known before.
            version = Store(tmp_path).publish(building(world), activate=False)
            worlds[version] = world
            Store(tmp_path).activate(version)
            wait_for_version(server, version)
    assert hammer.wrong == []
    assert hammer.answers > 0


def test_the_old_bundle_is_freed_when_its_last_request_ends(tmp_path: Path) -> None:
    live = Live()
    live.flip(Retriever(opened(tmp_path, random_embeddings(seed=1))))
    request = live.retriever()
    old = weakref.ref(request._bundle)
    live.flip(Retriever(opened(tmp_path, random_embeddings(seed=2))))
    gc.collect()
    assert old() is not None
    assert request.recommend("1", Options(k=3)).items
    del request
    assert old() is None


def test_swaps_leave_no_memory_maps_and_no_files_open(tmp_path: Path) -> None:
    versions = [publish(tmp_path, random_embeddings(200, 2000, dim=30, seed=seed)) for seed in (1, 2)]
    with running(tmp_path) as server:
        held = []
        for flip in range(10):
            Store(tmp_path).activate(versions[flip % 2])
            wait_for_version(server, versions[flip % 2])
            wait_until(lambda: len(served_versions(tmp_path)) == 1)
            held.append(len(list(Path("/proc/self/fd").iterdir())))
    assert held[-1] <= held[1]


def served_versions(store: Path) -> set[str]:
    """Of the versions of `store`, those with files mapped into this process."""
    maps = Path("/proc/self/maps").read_text()
    return {line.split("/versions/")[1].split("/")[0] for line in maps.splitlines() if f"{store}/versions/" in line}


def test_pruning_does_not_touch_the_version_that_serves(tmp_path: Path) -> None:
    first = publish(tmp_path, random_embeddings(seed=1))
    with running(tmp_path, poll_interval_s=3600) as server, asking(server) as client:
        for seed in range(2, 5):
            publish(tmp_path, random_embeddings(seed=seed))
        Store(tmp_path).prune(keep=1)
        assert client.recommend("1").model_version == first
        assert Store(tmp_path).path(first).is_dir()
