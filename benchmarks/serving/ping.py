"""One call at a time on one connection, another user each time: a thin client in Python, and a bare socket."""

import socket
from collections.abc import Sequence
from time import perf_counter_ns

import numpy as np

from benchmarks.serving.figures import Micros
from benchmarks.serving.http2 import Connection
from benchmarks.serving.questions import Question


def by_turns(address: str, questions: Sequence[Question], n: int) -> Micros:
    """The time of each of `n` calls, µs; every user in turn, so that no answer is in the caches from the call before.

    h2load asks for one user until it ends, which flatters the server. What this client's own work adds, an empty
    handler shows. Exits where a call is refused.
    """
    calls, times = [question.call for question in questions], []
    with Connection(address) as connection:
        for turn in range(n):
            call = calls[turn % len(calls)]
            began = perf_counter_ns()
            answer = connection.ask(call)
            times.append(perf_counter_ns() - began)
            if answer.status != 0:
                raise SystemExit(f"the server at {address} refused a call, with grpc-status {answer.status}")
    return np.array(times, np.int64) // 1000


def on_a_socket(address: str, request_bytes: int, answer_bytes: int, n: int) -> Micros:
    """The time of each of `n` exchanges with benchmarks.serving.empty's echo, µs."""
    host, _, port = address.rpartition(":")
    times = []
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message = bytes(request_bytes)
        for _ in range(n):
            began = perf_counter_ns()
            connection.sendall(message)
            left = answer_bytes
            while left:
                left -= len(connection.recv(left))
            times.append(perf_counter_ns() - began)
    return np.array(times, np.int64) // 1000
