"""Clients that never pause and check every answer."""

import threading
import time
from collections.abc import Callable

import numpy as np

from matinee.client import Client
from matinee.errors import MatineeError
from server.service import Server
from tests.server.running import asking, cosines, similar_oracle
from tests.world import oracle, predicted_ratings
from training.embeddings import Embeddings

TIMEOUT_S = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def wait_for_version(server: Server, version: str) -> None:
    wait_until(lambda: server.live.version == version)


class Hammer:
    """Threads that call every method without a pause and compare each answer with the version that it names."""

    def __init__(self, server: Server, worlds: dict[str, Embeddings], n_threads: int = 4) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self.versions: set[str] = set()
        self._server, self._worlds = server, worlds
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(n_threads)]

    def __enter__(self) -> "Hammer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for_answers(self, n_answers: int) -> None:
        enough = self.answers + n_answers
        wait_until(lambda: self.answers >= enough)

    def _ask(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        with asking(self._server) as client:
            while not self._stopping.is_set():
                for ask in (self._recommend, self._similar, self._predict, self._items):
                    try:
                        version, right = ask(client, int(rng.integers(30)))
                    except MatineeError as error:
                        self.wrong.append(repr(error))
                        continue
                    self.answers += 1
                    self.versions.add(version)
                    if not right:
                        self.wrong.append(f"{ask.__name__} does not answer from {version}")

    def _recommend(self, client: Client, user_row: int) -> tuple[str, bool]:
        answer = client.recommend(user_row + 1, k=5)
        world = self._worlds[answer.model_version]
        rows = oracle(world, user_row, 5, world.catalogue.seen[user_row])
        items = [(world.catalogue.item_ids[row], world.catalogue.item_titles[row]) for row in rows]
        scores = [item.score for item in answer.items]
        right = [(item.item_id, item.title) for item in answer.items] == items
        return answer.model_version, right and np.allclose(scores, predicted_ratings(world, user_row)[rows], atol=1e-5)

    def _similar(self, client: Client, item_row: int) -> tuple[str, bool]:
        answer = client.similar_items(f"i{item_row}", k=5)
        world = self._worlds[answer.model_version]
        row = world.catalogue.item_ids.row(f"i{item_row}")
        assert row is not None
        rows = similar_oracle(world, row, 5, [])
        right = [item.item_id for item in answer.items] == [world.catalogue.item_ids[row] for row in rows]
        scores = [item.score for item in answer.items]
        return answer.model_version, right and np.allclose(scores, cosines(world, row)[rows], atol=1e-5)

    def _predict(self, client: Client, user_row: int) -> tuple[str, bool]:
        answer = client.predict_ratings(user_row + 1, ["i0", "i1", "i2"])
        world = self._worlds[answer.model_version]
        rows = [world.catalogue.item_ids.row(f"i{item}") for item in range(3)]
        expected = predicted_ratings(world, user_row)[np.array(rows, np.int64)]
        return answer.model_version, np.allclose([rating.rating for rating in answer.ratings], expected, atol=1e-5)

    def _items(self, client: Client, item_row: int) -> tuple[str, bool]:
        answer = client.get_items([f"i{item_row}"])
        world = self._worlds[answer.model_version]
        row = world.catalogue.item_ids.row(f"i{item_row}")
        assert row is not None
        return answer.model_version, answer.items[0].title == world.catalogue.item_titles[row]
