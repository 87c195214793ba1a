"""The handlers of a real server without its sockets: bytes → rpc → servicer → retriever → bytes, and what must hold."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from indexer import search
from indexer.build import BuildOptions, build_bundle
from indexer.choice.decide import Limits
from indexer.store import Store
from matinee.v1 import recommender_pb2 as pb
from server.live import Live
from server.retriever import Retriever
from server.rpc import Method, Refusal, methods_of
from server.servicer import Recommender
from tests.fuzz.reader import Reader
from tests.fuzz.schema import METHODS, request_class
from tests.fuzz.worlds import INDEX_KEYS, WORLDS

FAIR = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}
"""What a server that is well may answer to any request, beside OK."""

SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"]


class BugFoundError(AssertionError):
    """An answer that no request may get."""


def ask_the_index_for_few_rows_too() -> None:
    """Of a part of so small a catalogue every row would be scored, whatever the index."""
    search._FEW = 3  # for this process; what is tested is the other way


class Nobody:
    """A caller without a deadline."""

    def time_remaining(self) -> float | None:
        """None: there is no hurry."""
        return None

    def invocation_metadata(self) -> Any:
        """Nothing came along."""
        return ()


class Handlers:
    """Every method over every one of the worlds."""

    def __init__(self, folder: Path) -> None:
        self._worlds = [methods(retriever_of(folder / name, name)) for name in WORLDS]

    def ask(self, data: bytes) -> grpc.StatusCode:
        """What the call that `data` stands for comes to: world, method, how to read the rest, the rest.

        Raises BugFoundError where that is no fair answer, and whatever the handler lets through.
        """
        reader = Reader(data)
        world, name, is_message = reader.choice(self._worlds), reader.choice(list(METHODS)), reader.byte() % 2
        request = reader.message(request_class(name)).SerializeToString() if is_message else reader.rest()
        return call(world[name], request)


def retriever_of(folder: Path, name: str) -> Retriever:
    """What answers from one of the worlds."""
    options = BuildOptions(INDEX_KEYS[name], Limits(allow_low_recall=True))
    store = Store(folder)
    return Retriever(store.open(store.publish(lambda draft: build_bundle(WORLDS[name], draft, options))))


def methods(retriever: Retriever) -> dict[str, Method]:
    """Every method, answered from `retriever`."""
    live = Live()
    live.flip(retriever)
    return {method.name: method for method in methods_of(SERVICE, Recommender(live))}


def call(method: Method, request: bytes) -> grpc.StatusCode:
    """What one call of `method` comes to. Raises as `Handlers.ask`."""
    try:
        responses = list(_responses(method, request))
    except Refusal as refusal:
        if refusal.code not in FAIR:
            raise BugFoundError(f"{method.name} answers {refusal.code.name}: {refusal}") from refusal
        return refusal.code
    check(request_class(method.name).FromString(request), responses)
    return grpc.StatusCode.OK


def _responses(method: Method, request: bytes) -> Iterator[Message]:
    kind = GetMessageClass(METHODS[method.name].output_type)
    answers = method.stream(request, Nobody()) if method.is_stream else [method.unary(request, Nobody())]
    return (kind.FromString(answer) for answer in answers)


def check(request: Any, responses: Iterable[Any]) -> None:
    """Hold the answers to what was asked. Raises BugFoundError."""
    for response in responses:
        if not response.model_version:
            raise BugFoundError("an answer names no version")
        if "k" in request.DESCRIPTOR.fields_by_name:
            for ranked in response.users if "users" in response.DESCRIPTOR.fields_by_name else [response]:
                _check_list(request, [item.item_id for item in ranked.items])


def _check_list(request: Any, item_ids: list[str]) -> None:
    k = request.k if request.HasField("k") else 10
    only = set(request.only_item_ids) or set(item_ids)
    forbidden = {getattr(request, "item_id", None), *request.exclude_item_ids}
    wrong = {
        "more than k items": len(item_ids) > k,
        "an item twice": len(set(item_ids)) < len(item_ids),
        "an item that is excluded": not forbidden.isdisjoint(item_ids),
        "an item that is not among the only ones": not only.issuperset(item_ids),
    }
    for what, is_so in wrong.items():
        if is_so:
            raise BugFoundError(f"{what}: {item_ids} for {request}")
