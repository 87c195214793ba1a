"""The fuzzer's way into the handlers, and that it finds what it is there to find."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.v1 import recommender_pb2 as pb
from server.servicer import Recommender
from tests.fuzz.handlers import FAIR, BugFoundError, Handlers, call, check, methods, retriever_of
from tests.fuzz.reader import Reader
from tests.fuzz.schema import METHODS, request_class

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="module")
def _index_asked_for_few_rows_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.search._FEW", 3)
        yield


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Handlers:
    return Handlers(tmp_path_factory.mktemp("worlds"))


@settings(max_examples=400, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_get_a_fair_answer(handlers: Handlers, data: bytes) -> None:
    assert handlers.ask(data) in FAIR | {grpc.StatusCode.OK}


def test_random_decisions_reach_every_answer_of_every_method(handlers: Handlers) -> None:
    noise, reached = random.Random(3), dict[str, set[str]]()
    for number in range(9_000):
        data = bytes([noise.randrange(256), number % len(METHODS), 1]) + noise.randbytes(80)
        reached.setdefault(list(METHODS)[number % len(METHODS)], set()).add(handlers.ask(data).name)
    refused = {"INVALID_ARGUMENT", "NOT_FOUND"}
    assert reached == {
        "Recommend": {"OK", *refused},
        "SimilarItems": {"OK", *refused},
        "PredictRatings": {"OK", *refused, "FAILED_PRECONDITION"},
        "GetItems": {"OK", *refused},
        "RecommendFromRatings": {"OK", *refused, "FAILED_PRECONDITION"},
        # It says of each user whether it is known.
        "BatchRecommend": {"OK", "INVALID_ARGUMENT"},
    }


@pytest.mark.parametrize("name", METHODS)
def test_a_reader_makes_every_field_of_a_request(name: str) -> None:
    noise, seen = random.Random(4), set()
    for _ in range(200):
        seen |= {field.name for field, _ in Reader(noise.randbytes(200)).message(request_class(name)).ListFields()}
    assert seen == set(request_class(name).DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("name", METHODS)
def test_a_bug_in_a_method_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(self: Recommender, request: Any) -> Any:
        raise KeyError("a row that is not there")

    monkeypatch.setattr(Recommender, name, buggy)
    planted = methods(retriever_of(tmp_path, "old"))[name]
    with pytest.raises(BugFoundError, match=f"{name} answers INTERNAL"):
        call(planted, b"")


@pytest.mark.parametrize(
    ("request_", "item_ids", "words"),
    [
        (pb.RecommendRequest(k=1), ["i0", "i1"], "more than k items"),
        (pb.RecommendRequest(), ["i0", "i0"], "an item twice"),
        (pb.RecommendRequest(exclude_item_ids=["i0"]), ["i0"], "an item that is excluded"),
        (pb.RecommendRequest(only_item_ids=["i1"]), ["i0"], "not among the only ones"),
        (pb.SimilarItemsRequest(item_id="i0"), ["i0"], "an item that is excluded"),
    ],
    ids=["k", "twice", "excluded", "only", "itself"],
)
def test_a_list_that_is_not_what_was_asked_for_is_found(request_: Any, item_ids: list[str], words: str) -> None:
    items = [pb.ScoredItem(item_id=item_id) for item_id in item_ids]
    with pytest.raises(BugFoundError, match=words):
        check(request_, [pb.RecommendResponse(items=items, model_version="v")])
    batch = pb.BatchRecommendResponse(users=[pb.UserRecommendations(items=items)], model_version="v")
    with pytest.raises(BugFoundError, match=words):
        check(request_, [batch])


def test_what_was_found_is_repeated_without_the_fuzzer(tmp_path: Path) -> None:
    found = tmp_path / "crash"
    found.write_bytes(b"\0\0")
    command = [sys.executable, "-m", "tests.fuzz", str(found)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{found}: INVALID_ARGUMENT\n"), done.stderr
