"""Whatever arrives at the Admin service, it says what is wrong with it, never INTERNAL, and the server goes on."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.store import Store
from matinee.v1 import admin_pb2 as pb
from server.admin.listener import AdminListener
from server.trust.config import OPEN
from tests.server.running import asking, publish, running
from tests.world import random_embeddings

METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["Admin"].methods]
FAIR = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
}
# Names that are none, leave the store, or that a file system does not take.
NAMES = [
    "",
    ".",
    "..",
    "../..",
    "/",
    "/etc/passwd",
    "a/b",
    "\0",
    "x" * 256,
    "é" * 200,
    "x" * 1024,
    "x" * 1025,
    "\n",
    "~",
]


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    store = tmp_path_factory.mktemp("store")
    publish(store, random_embeddings())
    with ExitStack() as stack:
        server = stack.enter_context(running(store))
        listener = AdminListener("127.0.0.1:0", OPEN, server, Store(store))
        listener.start()
        stack.callback(listener.stop, grace_s=5.0)
        yield stack.enter_context(grpc.insecure_channel(str(listener.address)))
        with asking(server) as client:
            assert len(client.recommend(1).items) == 10


def status_of(channel: grpc.Channel, method: str, message: bytes) -> grpc.StatusCode:
    call_method: Any = channel.unary_unary(f"/matinee.v1.Admin/{method}")
    code: grpc.StatusCode = call_method.future(message, timeout=30).code()
    return code


@settings(max_examples=100, deadline=None)
@given(method=st.sampled_from(METHODS), message=st.binary(max_size=100))
def test_any_bytes_are_answered_or_refused(channel: grpc.Channel, method: str, message: bytes) -> None:
    assert status_of(channel, method, message) in FAIR


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_versions_is_refused(channel: grpc.Channel, name: str) -> None:
    message = pb.ActivateRequest(version=name).SerializeToString()
    assert status_of(channel, "Activate", message) in FAIR - {grpc.StatusCode.OK}


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=60))
@example(name="20261123T214500Z-3f2a9c1b")
def test_any_text_is_no_version(channel: grpc.Channel, name: str) -> None:
    message = pb.ActivateRequest(version=name).SerializeToString()
    assert status_of(channel, "Activate", message) in FAIR - {grpc.StatusCode.OK}
