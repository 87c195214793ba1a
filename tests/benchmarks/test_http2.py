"""The thin client, against real servers of both transports: what it reads is what was answered."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from benchmarks.serving.asker import Asker
from benchmarks.serving.calls import BROKEN, messages, request
from benchmarks.serving.empty import TRANSPORTS
from benchmarks.serving.http2 import Connection
from tests.benchmarks.moments import evenly

CREATE = pytest.mark.parametrize("create", TRANSPORTS.values(), ids=TRANSPORTS)
SERVICE = "test.Service"


def echo(message: bytes, _context: grpc.ServicerContext) -> bytes:
    return message


def refuse(message: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(list(grpc.StatusCode)[int(message)], "as asked for: \x00 ä")


def many(message: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
    yield from [message] * 30


@pytest.fixture
def serve() -> Iterator[Callable[[Any], tuple[grpc.Server, str]]]:
    servers: list[grpc.Server] = []

    def start(create: Any) -> tuple[grpc.Server, str]:
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Echo": grpc.unary_unary_rpc_method_handler(echo),
            "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
            "Many": grpc.unary_stream_rpc_method_handler(many),
        }
        server = create(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        server.add_registered_method_handlers(SERVICE, handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return server, f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


@CREATE
def test_an_answer_comes_back_whole(serve: Any, create: Any) -> None:
    _, address = serve(create)
    with Connection(address) as connection:
        for message in (b"", b"seven", bytes(16_000)):
            answer = connection.ask(request(f"/{SERVICE}/Echo", message, timeout="20S"))
            assert answer.status == 0
            assert list(messages(answer.data)) == [message]


@CREATE
def test_the_messages_of_a_stream_come_apart(serve: Any, create: Any) -> None:
    _, address = serve(create)
    with Connection(address) as connection:
        answer = connection.ask(request(f"/{SERVICE}/Many", b"again" * 3_000))
        assert list(messages(answer.data)) == [b"again" * 3_000] * 30


@CREATE
@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_refusal_is_told_by_its_code(serve: Any, create: Any, code: grpc.StatusCode) -> None:
    _, address = serve(create)
    with Connection(address) as connection:
        answer = connection.ask(request(f"/{SERVICE}/Refuse", str(list(grpc.StatusCode).index(code)).encode()))
        assert (answer.status, answer.data) == (code.value[0], b"")


@CREATE
def test_a_given_up_call_has_no_answer_and_the_next_one_has(serve: Any, create: Any) -> None:
    _, address = serve(create)
    with Connection(address) as connection:
        connection.cancel(connection.send(request(f"/{SERVICE}/Echo", b"not wanted")))
        assert connection.n_open == 0
        assert list(messages(connection.ask(request(f"/{SERVICE}/Echo", b"wanted")).data)) == [b"wanted"]


@CREATE
def test_calls_of_a_server_that_hangs_up_are_broken(serve: Any, create: Any) -> None:
    server, address = serve(create)
    with Connection(address) as connection:
        assert connection.ask(request(f"/{SERVICE}/Echo", b"")).status == 0
        server.stop(0).wait()
        assert connection.ask(request(f"/{SERVICE}/Echo", b"")).status in (BROKEN, grpc.StatusCode.CANCELLED.value[0])


@CREATE
def test_an_asker_tells_each_call_once_and_to_which_question_it_belongs(serve: Any, create: Any) -> None:
    _, address = serve(create)
    words = [b"one", b"two", b"three"]
    calls = [request(f"/{SERVICE}/Echo", word) for word in words]
    moments, which = evenly(300, 0.5, len(calls))
    with Asker(
        address, calls, lambda _, answer: words.index(answer.data[5:]), renew_every_s=0.02, cancelled_share=0.2
    ) as asker:
        asked = asker.ask(moments, which)
    assert len(asked.questions) + asker.n_cancelled == 300
    assert 0 < asker.n_cancelled < 300
    assert asked.judgements == asked.questions
    assert set(asked.statuses) == {0}
    assert min(asked.times_us) > 0
