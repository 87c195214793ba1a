"""The live recall: what is compared, with what, and what is dropped."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.search import Query
from indexer.selection import NONE, Selection
from matinee.exposition import total
from server.observing.pages import Board
from server.observing.recorder import Recorder
from server.observing.shadow import Shadow, compare
from tests.server.hammer import wait_until
from tests.server.test_metrics import metrics


def query(scores: NDArray[np.float64], release: threading.Event | None = None) -> Query:
    """What finds the highest of `scores`; it waits for `release` first."""

    def scored(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if release is not None:
            release.wait(30)
        return scores[rows]

    return Query(np.zeros(8, np.float32), scored, 0.0, lambda: 0.0, tells_apart=False)


def everything(n: int) -> Selection:
    return Selection(n, NONE)


SCORES = np.random.default_rng(0).normal(size=10_000)
BEST = np.sort(SCORES)[::-1]


def test_the_right_answer_is_found_whole() -> None:
    assert compare(query(SCORES), 10, everything(10_000), BEST[:10]) == (10, 10)


def test_what_was_missed_is_not_found() -> None:
    answer = np.concatenate([BEST[:4], BEST[5:11]])
    assert compare(query(SCORES), 10, everything(10_000), answer) == (10, 9)
    assert compare(query(SCORES), 10, everything(10_000), np.empty(0)) == (10, 0)


def test_among_equal_items_any_is_right() -> None:
    ties = np.array([3.0, 1.0, 1.0, 1.0, 0.0])
    assert compare(query(ties), 2, everything(5), np.array([3.0, 1.0])) == (2, 2)


def test_only_what_may_be_in_the_answer_is_expected() -> None:
    scores = np.array([9.0, 8.0, 7.0, 6.0])
    assert compare(query(scores), 2, Selection(4, np.array([0, 1])), np.array([7.0, 6.0])) == (2, 2)
    assert compare(query(scores), 5, Selection(4, np.array([0, 1])), np.array([7.0])) == (2, 1)
    assert compare(query(scores), 5, Selection(2, np.array([0, 1])), np.empty(0)) == (0, 0)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    board.close()


@pytest.fixture
def recorder(board: Board) -> Iterator[Recorder]:
    recorder = Recorder(board.path(0), n_threads=4)
    yield recorder
    recorder.close()


def test_the_share_of_the_answers_that_was_asked_for_is_compared(board: Board, recorder: Recorder) -> None:
    shadow = Shadow(0.5, recorder)
    small = np.arange(20.0)
    for _ in range(400):
        shadow.answered("SimilarItems", query(small), 4, everything(20), np.array([19.0, 18.0, 17.0, 2.0]))
    wait_until(lambda: shadow.n_waiting == 0)
    shadow.close()
    seen = metrics(board)
    sampled = total(seen, "matinee_shadow_answers_total", method="SimilarItems")
    # Of 400 fair coins, fewer than 120 or more than 280 come once in 10^15 runs.
    assert 120 < sampled < 280
    compared = total(seen, "matinee_shadow_answers_total", method="SimilarItems", result="compared")
    expected = total(seen, "matinee_shadow_expected_total", method="SimilarItems")
    assert expected == 4 * compared > 0
    assert total(seen, "matinee_shadow_found_total", method="SimilarItems") == 0.75 * expected
    assert total(seen, "matinee_shadow_expected_total", method="Recommend") == 0


def test_what_there_is_no_time_for_is_dropped_and_counted_and_holds_nobody_up(board: Board, recorder: Recorder) -> None:
    shadow, release = Shadow(1.0, recorder), threading.Event()
    # The first is being compared and 64 wait: the others have no place.
    for _ in range(100):
        shadow.answered("Recommend", query(SCORES, release), 10, everything(10_000), BEST[:10])
    assert 35 <= total(metrics(board), "matinee_shadow_answers_total", result="dropped") <= 36
    release.set()
    wait_until(lambda: total(metrics(board), "matinee_shadow_answers_total", result="compared") > 0)
    shadow.close()


def test_a_comparison_that_fails_is_told_and_the_next_one_is_made(
    board: Board, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    shadow = Shadow(1.0, recorder)
    shadow.answered("Recommend", query(np.empty(0)), 1, everything(3), np.empty(0))
    shadow.answered("Recommend", query(np.arange(3.0)), 1, everything(3), np.array([2.0]))
    wait_until(lambda: total(metrics(board), "matinee_shadow_answers_total", result="compared") == 1)
    shadow.close()
    assert "IndexError" in caplog.text


def test_nothing_is_compared_at_a_rate_of_nothing(board: Board, recorder: Recorder) -> None:
    shadow = Shadow(0.0, recorder)
    for _ in range(100):
        shadow.answered("Recommend", query(SCORES), 10, everything(10), BEST[:10])
    shadow.close()
    assert total(metrics(board), "matinee_shadow_answers_total") == 0
