"""Threads for calls, with a count of the calls that they have: the bound of what a server takes on."""

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import faiss

from server.turns import Turns

_logger = logging.getLogger(__name__)

_Job = tuple[Callable[..., object], tuple[Any, ...]]


def one_core() -> None:
    """Keep FAISS on the calling thread: the setting acts on it alone, and without it a request takes every core."""
    faiss.omp_set_num_threads(1)


class RequestThreads(Executor):
    """`count` threads that work on requests, of which `limit` may be here at a time, and wait as `Turns` says.

    Leaner than ThreadPoolExecutor, which makes, locks and notifies a Future for every call. Whoever submits asks
    `is_full` first, in the one thread that submits.
    """

    def __init__(self, count: int, limit: int, max_wait_s: float) -> None:
        self._limit = limit
        self._turns: Turns[_Job] = Turns(count, limit, max_wait_s, self._refuse)
        self._keys = itertools.count()
        self._begun: SimpleQueue[_Job | None] = SimpleQueue()
        self._done: Future[Any] = Future()
        self._done.set_result(None)
        self._count = self._wanted = count
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._refusing: set[int] = set()
        self.make_up_for(0)

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return self._turns.waiting

    @property
    def here(self) -> int:
        """How many calls wait or are worked on."""
        return self._turns.here

    def is_full(self) -> bool:
        """Whether one call more would be too many."""
        return self._turns.is_full()

    def is_refusing(self) -> bool:
        """Whether the call that this thread works on has waited too long and is to be refused."""
        return threading.get_ident() in self._refusing

    def make_up_for(self, n_blocked: int) -> None:
        """Let as many threads work as there would be if these were not blocked. One thread alone calls this."""
        self._wanted = min(self._count + n_blocked, max(self._count, self._limit))
        while len(self._threads) < self._wanted:
            thread = threading.Thread(target=self._work, name="matinee-request", daemon=True)
            self._threads.add(thread)
            thread.start()
        for job in self._turns.let_work(self._wanted):
            self._begun.put(job)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ARG002  as it is called
        """Let a thread call `fn`. The Future is done already: nobody waits for one."""
        job = fn, args
        if self._turns.begin(next(self._keys), job):
            self._begun.put(job)
        return self._done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after what they work on; what waits is done before, unless `cancel_futures`."""
        if cancel_futures:
            self._turns.clear()
        threads = tuple(self._threads)
        for _ in threads:
            self._begun.put(None)
        for thread in threads if wait else ():
            thread.join()

    def _work(self) -> None:
        one_core()
        while job := self._begun.get():
            while job:
                _call(job)
                # What a call holds must not live until the next one comes.
                del job
                job = self._turns.next()
            if self._is_spare():
                return

    def _refuse(self, job: _Job) -> None:
        self._refusing.add(threading.get_ident())
        try:
            _call(job)
        finally:
            self._refusing.discard(threading.get_ident())

    def _is_spare(self) -> bool:
        if len(self._threads) <= self._wanted:
            return False
        with self._lock:
            is_spare = len(self._threads) > self._wanted
            if is_spare:
                self._threads.discard(threading.current_thread())
            return is_spare


def _call(job: _Job) -> None:
    call, arguments = job
    try:
        call(*arguments)
    except Exception:
        # Of gRPC's own: the methods answer their bugs. There would be a thread less from now on.
        _logger.exception("a call failed outside its method")


class StreamThreads(ThreadPoolExecutor):
    """`count` threads for streams, of which `limit` may be here at a time. gRPC takes no other kind for one method."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(count, "matinee-stream", initializer=one_core)
        self._limit = limit
        self._here = 0
        self._lock = threading.Lock()

    def is_full(self) -> bool:
        """Whether one stream more would be too many."""
        return self._here >= self._limit

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Let a thread call `fn`."""
        with self._lock:
            self._here += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: "Future[Any]") -> None:
        with self._lock:
            self._here -= 1


class AtOnce(ThreadPoolExecutor):
    """No threads: whoever submits does the work. gRPC takes no other kind for one method."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call `fn`."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
