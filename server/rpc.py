"""The methods of the schema as what a transport calls: bytes in, bytes out, every failure a status.

Knows no transport. Requests are decoded here and not by gRPC, which would answer INTERNAL to bytes that are no message.
`Method.unary` and `Method.stream` are the one place where a call begins and ends: what it came to is told to `Ended`.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from server import request_ids
from server.errors import ExpiredError, OverloadedError, RequestError, UndecodableError
from server.status import STATUS

_logger = logging.getLogger(__name__)

_PUSHBACK_MS = (50, 150)

Metadata = Sequence[tuple[str, str | bytes]]


class Caller(Protocol):
    """What is known of a call beside its request; a grpc.ServicerContext is one."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None or more than a century where it has none."""

    def invocation_metadata(self) -> Any:
        """The metadata that came with the call, pairs of key and value."""


class Ended(Protocol):
    """Told once of every call, when it is over; must be quick, be safe in many threads and raise nothing."""

    def __call__(
        self, method: str, code: grpc.StatusCode, seconds: float, caller: Caller | None, request_id: str | None
    ) -> None:
        """`method` as in the schema, what it came to, how long the work took (0 where there was none), who asked.

        A stream that its caller left is CANCELLED. No caller is known of calls that were refused before their turn.
        `request_id` is what a refusal was named; None where there was none.
        """


def unobserved(
    method: str, code: grpc.StatusCode, seconds: float, caller: Caller | None, request_id: str | None
) -> None:
    """An `Ended` that does nothing."""


class Refusal(Exception):  # noqa: N818  a status, not a fault
    """The status that a call is answered with instead of a result; its trailers tell the id that the call goes by."""

    def __init__(self, code: grpc.StatusCode, text: str, request_id: str, trailers: Metadata = ()) -> None:
        super().__init__(text)
        self.code, self.text, self.request_id = code, text, request_id
        self.trailers = (*trailers, (request_ids.KEY, request_id))


class Method:
    """One method: `answer` maps its request to its response, or to an iterator of them, and raises RequestError.

    `together`, where there is one, maps a few requests to the response or the RequestError of each, for less than
    `answer` takes for all of them.
    """

    def __init__(
        self,
        schema: MethodDescriptor,
        answer: Callable[..., Any],
        ended: Ended = unobserved,
        together: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
    ) -> None:
        self.name = schema.name
        self.path = f"/{schema.containing_service.full_name}/{schema.name}"
        self.is_stream = schema.server_streaming
        self.ended = ended
        self.takes_some_together = together is not None
        self._answer = answer
        self._together = together
        self._request_class = GetMessageClass(schema.input_type)

    def unary(self, request: bytes, caller: Caller) -> bytes:
        """The response to `request`. Raises Refusal."""
        started, code, request_id = perf_counter(), grpc.StatusCode.OK, None
        try:
            answer: bytes = self._answer(self._checked(request, caller)).SerializeToString()
            return answer
        except Exception as error:  # noqa: BLE001  a bug is answered and logged, and the next call is answered
            refusal = self._refusal(error, caller)
            code, request_id = refusal.code, refusal.request_id
            raise refusal from None
        finally:
            self.ended(self.name, code, perf_counter() - started, caller, request_id)

    def together(self, calls: Sequence[tuple[bytes, Caller]]) -> list[bytes | Refusal]:
        """The response to each request, or why there is none, of a method that takes some together."""
        started = perf_counter()
        outcomes = self._outcomes(calls)
        seconds = perf_counter() - started
        for outcome, (_, caller) in zip(outcomes, calls, strict=True):
            refusal = outcome if isinstance(outcome, Refusal) else None
            code = refusal.code if refusal else grpc.StatusCode.OK
            self.ended(self.name, code, seconds, caller, refusal.request_id if refusal else None)
        return outcomes

    def _outcomes(self, calls: Sequence[tuple[bytes, Caller]]) -> list[bytes | Refusal]:
        outcomes: list[bytes | Refusal] = []
        asked: dict[int, Message] = {}
        for place, (request, caller) in enumerate(calls):
            outcomes.append(b"")
            try:
                asked[place] = self._checked(request, caller)
            except RequestError as error:
                outcomes[place] = refusal_of(error, caller)
        for place, answer in zip(asked, self._answers(list(asked.values())), strict=True):
            is_error = isinstance(answer, Exception)
            outcomes[place] = self._refusal(answer, calls[place][1]) if is_error else answer.SerializeToString()
        return outcomes

    def _answers(self, requests: Sequence[Message]) -> Sequence[Any]:
        """The response to each, or what was raised."""
        try:
            return self._together(requests) if self._together else list(map(self._one, requests))
        except Exception:
            # A bug that one request brings out must not cost the others their answers.
            _logger.exception("%s failed at %d requests together; each is answered alone", self.path, len(requests))
            return list(map(self._one, requests))

    def _one(self, request: Message) -> Any:
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001  it is told, and logged
            return error

    def stream(self, request: bytes, caller: Caller) -> Iterator[bytes]:
        """The responses to `request`, one by one. Raises Refusal, also between two of them."""
        started, code, request_id = perf_counter(), grpc.StatusCode.OK, None
        try:
            for response in self._answer(self._checked(request, caller)):
                yield response.SerializeToString()
        except GeneratorExit:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001  a bug is answered and logged, and the next call is answered
            refusal = self._refusal(error, caller)
            code, request_id = refusal.code, refusal.request_id
            raise refusal from None
        finally:
            self.ended(self.name, code, perf_counter() - started, caller, request_id)

    def refuse(self, error: RequestError, caller: Caller) -> Refusal:
        """`error` as the status of a call that does not get its turn; the call counts as ended."""
        refusal = self._refusal(error, caller)
        self.ended(self.name, refusal.code, 0.0, None, refusal.request_id)
        return refusal

    def _checked(self, request: bytes, caller: Caller) -> Message:
        remaining_s = caller.time_remaining()
        if remaining_s is not None and remaining_s <= 0:
            raise ExpiredError
        try:
            return self._request_class.FromString(request)
        except DecodeError as error:
            raise UndecodableError(self._request_class.DESCRIPTOR.full_name, len(request)) from error

    def _refusal(self, error: Exception, caller: Caller) -> Refusal:
        if isinstance(error, RequestError):
            return refusal_of(error, caller)
        request_id = _id_of(caller)
        # Whatever the bug is, the caller learns nothing of the inside and the next call is answered.
        _logger.error("%s failed", self.path, exc_info=error, extra={"request_id": request_id})
        return Refusal(grpc.StatusCode.INTERNAL, "the server failed at this request; its log says how", request_id)


def refusal_of(error: RequestError, caller: Caller) -> Refusal:
    """`error` as a status."""
    return Refusal(STATUS[type(error)], str(error), _id_of(caller), _trailers(error))


def methods_of(service: ServiceDescriptor, servicer: object, ended: Ended = unobserved) -> list[Method]:
    """Every method of `service`, answered by the method of `servicer` that has its name.

    One whose name is that and "Together" answers some requests together.
    """
    return [
        Method(schema, getattr(servicer, schema.name), ended, getattr(servicer, f"{schema.name}Together", None))
        for schema in service.methods
    ]


def _id_of(caller: Caller) -> str:
    return request_ids.sent(caller) or request_ids.new()


def _trailers(error: RequestError) -> Metadata:
    if not isinstance(error, OverloadedError):
        return ()
    # Not all at the same moment: whoever is sent away together would come back together.
    return (("grpc-retry-pushback-ms", str(random.randint(*_PUSHBACK_MS))),)  # noqa: S311  no secret
