"""The fast transport: pygrpc-native, whose HTTP/2 runs outside the GIL. No TLS, no limit on the age of a connection.

It answers the unary methods. Everything else (streams, health, reflection) goes on to a grpcio server behind it, on a
Unix socket of its own. The trailer that tells a refused caller when to come back can't be sent by it.
"""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from pygrpc_native import EVENT_CANCEL, NativeGrpcFront

from server import request_ids
from server.address import Address
from server.errors import (
    AddressError,
    OverloadedError,
    RequestError,
    StoppingError,
    TooLargeError,
    UnauthenticatedError,
)
from server.limits import Limits
from server.rpc import Method, Refusal
from server.threads import one_core
from server.transports.grpcio import GrpcioTransport
from server.trust.config import OPEN, Trust
from server.turns import Turns

_logger = logging.getLogger(__name__)

_LOOK_S = 0.02
_LOOK_MS = 20
# Closing cuts off answers that were given and are not sent yet.
_FLUSH_S = 0.2
# Of the threads that wait for calls only one is told that no more come.
_WAIT_MS = 1000
# So many are taken at a time by who works.
_BATCH = 1024
# So many calls are worked on together where they wait anyhow: more take longer and are hardly cheaper.
_TOGETHER = 8
# Who takes longer no longer works alone; nobody takes calls together that would.
_LONG_S = 0.002
# How often whoever stands by looks.
_WATCH_S = 0.003
# Where nothing has come for so long, whoever stands by looks less often.
_QUIET_S = 1.0


class _Call(NamedTuple):
    """One call that came; it is the `Caller` too."""

    call_id: int
    method: Method
    request: bytes
    metadata: tuple[tuple[str, str | bytes], ...]
    deadline: float | None
    """By time.monotonic."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline, or None."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The metadata that came with the call."""
        return self.metadata


class NativeTransport:
    """One thread works on calls and takes them, without a hand-over, as long as each of them is done quickly.

    Two would only take Python's lock from each other. Whoever stands by looks every few milliseconds whether those who
    work are long at it, and then works too, till `threads` do; one more takes calls, and queues or refuses them.
    """

    def __init__(
        self, methods: Sequence[Method], limits: Limits, trust: Trust = OPEN, *, is_shared: bool = False
    ) -> None:
        self._methods = [method for method in methods if not method.is_stream]
        self._behind = GrpcioTransport([method for method in methods if method.is_stream], limits, trust)
        self._limits = limits
        self._is_shared = is_shared
        self._tokens = trust.tokens()
        self._most_at_work = min(limits.threads, limits.max_concurrent)
        self._turns: Turns[_Call] = Turns(1, limits.max_concurrent, limits.max_wait_ms / 1000, self._refuse_as_too_many)
        # By thread: when it began what it works on, by time.monotonic.
        self._at_work: dict[int, float] = {}
        self._last_began = time.monotonic()
        # What a call took last.
        self._seconds_each = _LONG_S
        self._lookout = threading.Lock()
        self._stopping = self._is_closed = False
        self._folder: Path | None = None
        roles = [self._lead, *[self._stand_by] * self._most_at_work]
        self._threads = [
            threading.Thread(target=role, name=f"matinee-request-{number}", daemon=True)
            for number, role in enumerate(roles)
        ]

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return self._turns.waiting

    @property
    def here(self) -> int:
        """How many requests wait or are worked on."""
        return self._turns.here

    def add(self, add_to_server: Callable[[grpc.Server], None]) -> None:
        """Let `add_to_server` add a service that brings threads of its own and is never refused for load."""
        self._behind.add(add_to_server)

    def bind(self, wanted: Address) -> Address:
        """Take the address; as it is, with its port. Raises AddressError."""
        methods = [(method.path, False) for method in self._methods]
        try:
            self._front = NativeGrpcFront(str(wanted), methods, **_settings(self._limits, self._is_shared))
        except OSError as error:
            raise AddressError(f"can't listen at {wanted}: {error}; choose another with --address") from error
        return wanted if wanted.path else replace(wanted, port=self._front.bound_port)

    def start(self) -> None:
        """Listen."""
        # Made no sooner: of a server that never starts nothing must be left.
        self._folder = Path(tempfile.mkdtemp(prefix="matinee-"))
        behind = self._folder / "behind.sock"
        self._behind.bind(Address(path=behind))
        self._behind.start()
        self._front.set_fallback(str(behind))
        self._front.start()
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float) -> threading.Event:
        """Take no more calls, let those that run end within `grace_s` seconds; set when they have."""
        self._stopping = True
        deadline = time.monotonic() + grace_s
        behind, stopped = self._behind.stop(grace_s), threading.Event()
        threading.Thread(target=self._drain, args=(deadline, behind, stopped), name="matinee-drain").start()
        return stopped

    def close(self) -> None:
        """End the threads; to be called once stopped."""
        self._front.close()
        self._behind.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _drain(self, deadline: float, behind: threading.Event, stopped: threading.Event) -> None:
        while self.here and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        behind.wait()
        time.sleep(min(_FLUSH_S, max(0.0, deadline - time.monotonic())))
        self._front.close()
        stopped.set()

    def _lead(self) -> None:
        """Take calls and work on them."""
        one_core()
        while not self._is_closed:
            self._take(_WAIT_MS)

    def _stand_by(self) -> None:
        """Do so too while those who work are long at it."""
        one_core()
        while not self._is_closed:
            # The others need not look at the same time.
            with self._lookout:
                while not (self._are_long_at_work() or self._is_closed):
                    is_quiet = time.monotonic() - self._last_began > _QUIET_S
                    time.sleep(_LOOK_S if is_quiet else _WATCH_S)
            while self._are_long_at_work() and not self._is_closed:
                self._take(_LOOK_MS)

    def _take(self, wait_ms: int) -> None:
        """Work on a call that waits, or on the next that comes in time."""
        self._let_work()
        call = self._turns.step_in()
        if call is None:
            events = self._front.recv_batch_details(1, wait_ms)
            if events is None:
                self._is_closed = True
                return
            self._let_work()
            call = self._first_turn(events)
        if call is not None:
            self._work(call)

    def _work(self, call: _Call | None) -> None:
        """Answer `call` and all that come meanwhile, till none waits or others do."""
        mine = threading.get_ident()
        while call is not None:
            self._at_work[mine] = self._last_began = began = time.monotonic()
            beside = self._beside(call)
            self._answer([call, *beside])
            self._seconds_each = (time.monotonic() - began) / (1 + len(beside))
            for event in self._front.recv_batch_details(_BATCH, 0) or ():
                if (came := self._admitted(event)) and not self._turns.join(came.call_id, came):
                    self._refuse_as_too_many(came)
            if len(self._at_work) > 1:
                del self._at_work[mine]
                self._let_work()
            call = self._turns.next(len(beside))
        self._at_work.pop(mine, None)

    def _beside(self, call: _Call) -> list[_Call]:
        """What is worked on together with `call`."""
        if not call.method.takes_some_together or not self._turns.waiting:
            return []
        # If they are like the last one, all of them together are not long.
        most = min(_TOGETHER, int(_LONG_S / self._seconds_each)) - 1
        return self._turns.beside(most, lambda other: other.method is call.method) if most > 0 else []

    def _are_long_at_work(self) -> bool:
        """Whether somebody works, and nobody who has only just begun."""
        began = tuple(self._at_work.values())
        return bool(began) and time.monotonic() - max(began) >= _LONG_S

    def _let_work(self) -> None:
        """Let one work beside those who are long at it."""
        now = time.monotonic()
        n_long = sum(now - began >= _LONG_S for began in tuple(self._at_work.values()))
        self._turns.workers = min(1 + n_long, self._most_at_work)

    def _first_turn(self, events: Sequence[tuple[Any, ...]]) -> _Call | None:
        """Of at most one event the call that is worked on now."""
        for event in events:
            if call := self._admitted(event):
                has_its_turn = self._turns.ask(call.call_id, call)
                if has_its_turn is None:
                    self._refuse_as_too_many(call)
                return call if has_its_turn else None
        return None

    def _admitted(self, event: tuple[Any, ...]) -> _Call | None:
        """The call that came, if it may be answered; None where it was refused or cancelled."""
        call: _Call | None = _guarded(self._call_of, event)
        return call

    def _call_of(self, event: tuple[Any, ...]) -> _Call | None:
        kind, call_id, method, request, _, details = event
        if kind == EVENT_CANCEL:
            self._turns.leave(call_id)
            return None
        metadata, _, remaining_s = details
        deadline = None if remaining_s is None else time.monotonic() + remaining_s
        call = _Call(call_id, self._methods[method], request, metadata, deadline)
        if error := self._why_not(call):
            self._fail(call, call.method.refuse(error, call))
            return None
        return call

    def _why_not(self, call: _Call) -> RequestError | None:
        if self._stopping:
            return StoppingError()
        if self._tokens and not self._tokens.allow(call.metadata):
            return UnauthenticatedError()
        if len(call.request) > self._limits.max_request_bytes:
            return TooLargeError(len(call.request), self._limits.max_request_bytes)
        return None

    def _refuse_as_too_many(self, call: _Call) -> None:
        self._fail(call, call.method.refuse(OverloadedError(), call))

    def _answer(self, calls: Sequence[_Call]) -> None:
        """Answer calls of one method."""
        method = calls[0].method
        if len(calls) == 1:
            self._respond(calls[0], _outcome(method, calls[0]))
            return
        for call, outcome in zip(calls, method.together([(call.request, call) for call in calls]), strict=True):
            self._respond(call, outcome)

    def _respond(self, call: _Call, outcome: bytes | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self._fail(call, outcome)
            return
        _guarded(self._front.respond, call.call_id, outcome, trailing_metadata=request_ids.echo(call))

    def _fail(self, call: _Call, refusal: Refusal) -> None:
        # It refuses to send what is gRPC's own.
        trailers = [trailer for trailer in refusal.trailers if not trailer[0].startswith("grpc-")]
        _guarded(self._front.fail, call.call_id, refusal.code.value[0], refusal.text, trailers)


def _guarded(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What `function` returns; None where it raises, which is told: there would be a thread less from now on."""
    try:
        return function(*arguments, **named)
    except Exception:
        # The methods answer their own bugs.
        _logger.exception("a call failed outside its method")
        return None


def _outcome(method: Method, call: _Call) -> bytes | Refusal:
    try:
        return method.unary(call.request, call)
    except Refusal as refusal:
        return refusal


def _settings(limits: Limits, is_shared: bool) -> dict[str, Any]:
    return {
        "call_details": True,
        "reuse_port": is_shared,
        "keepalive_time_ms": int(limits.keepalive_s * 1000),
        "keepalive_timeout_ms": int(limits.keepalive_timeout_s * 1000),
        "keepalive_permit_without_calls": True,
        "max_concurrent_streams": limits.max_calls_per_connection,
    }
