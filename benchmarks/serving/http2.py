"""A connection for gRPC calls on a plain socket: thin enough to judge a server, and it tells shed from answered.

Requests are bytes made beforehand; a call costs one write, one read and a walk over a few frames. It knows as much of
HTTP/2 as a server's answers to small requests need: it keeps no send window, which they can't fill.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from benchmarks.serving.calls import BROKEN, DATA, END_STREAM, HEADERS, Answer, ProtocolError, Request, frame
from benchmarks.serving.status import grpc_status

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 3, 4, 6, 7, 8, 9
_ACK, _PADDED = 0x1, 0x8
# Without a table for its headers the server must spell every trailer out, so that they can be read by themselves.
_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW = (1, 0), (2, 0), (4, 2**31 - 1)
_DEFAULT_WINDOW = 65_535
_READ_BYTES = 1 << 16
_CANCEL = 8


class Connection:
    """One connection; calls may overlap on it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = b"".join(struct.pack(">HI", *one) for one in (_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW))
        widened = struct.pack(">I", 2**31 - 1 - _DEFAULT_WINDOW)
        self._socket.sendall(_PREFACE + frame(_SETTINGS, 0, 0, settings) + frame(_WINDOW_UPDATE, 0, 0, widened))
        self._next = 1
        self._unread = b""
        self._received = 0
        self._open: dict[int, list[bytes]] = {}
        self.is_closing = False
        """Whether the server takes no more calls on it."""

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    @property
    def n_open(self) -> int:
        """How many calls have not ended."""
        return len(self._open)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, call: Request) -> int:
        """Make `call`; its stream."""
        stream = self._next
        self._next += 2
        self._open[stream] = []
        self._write(call.on(stream))
        return stream

    def cancel(self, stream: int) -> None:
        """Give up the call on `stream`, if it has not ended: no Answer comes."""
        if self._open.pop(stream, None) is not None:
            self._write(frame(_RST_STREAM, 0, stream, struct.pack(">I", _CANCEL)))

    def ask(self, call: Request) -> Answer:
        """Make `call` and wait for its end."""
        stream = self.send(call)
        while True:
            for answer in self.receive():
                if answer.stream == stream:
                    return answer

    def receive(self) -> list[Answer]:
        """Read once, waiting for something to come; the calls that have ended with it. Raises ProtocolError."""
        read = b""
        with suppress(ConnectionError):
            read = self._socket.recv(_READ_BYTES)
        if not read:
            return self._broken()
        self._unread += read
        ended = []
        for kind, flags, stream, payload in self._frames():
            answer = self._take(kind, flags, stream, payload)
            if answer is not None:
                ended.append(answer)
        return ended

    def _write(self, written: bytes) -> None:
        # That the server is gone shows when it is read from.
        with suppress(ConnectionError):
            self._socket.sendall(written)

    def _broken(self) -> list[Answer]:
        """The connection is gone, and what was under way on it."""
        answers = [Answer(stream, BROKEN, b"") for stream in self._open]
        self._open.clear()
        self.is_closing = True
        return answers

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """The whole frames of what was read; the rest stays."""
        start, unread = 0, self._unread
        while len(unread) - start >= 9:
            end = start + 9 + int.from_bytes(unread[start : start + 3])
            if end > len(unread):
                break
            yield (
                unread[start + 3],
                unread[start + 4],
                int.from_bytes(unread[start + 5 : start + 9]),
                unread[start + 9 : end],
            )
            start = end
        self._unread = unread[start:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Answer | None:
        if kind in (DATA, HEADERS):
            return self._part(kind, flags, stream, payload)
        if kind == _RST_STREAM and self._open.pop(stream, None) is not None:
            return Answer(stream, BROKEN, b"")
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._write(frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _GOAWAY:
            self.is_closing = True
        elif kind == _CONTINUATION:
            raise ProtocolError("the server sent headers in several frames")
        return None

    def _part(self, kind: int, flags: int, stream: int, payload: bytes) -> Answer | None:
        if flags & _PADDED:
            raise ProtocolError("the server sent a padded frame")
        if kind == DATA:
            self._widen(len(payload))
        parts = self._open.get(stream)
        if parts is None:
            # Of a call that was given up.
            return None
        if kind == DATA:
            parts.append(payload)
        if not flags & END_STREAM:
            return None
        del self._open[stream]
        status = grpc_status(payload) if kind == HEADERS else None
        if status is None:
            raise ProtocolError("a call ended without a grpc-status")
        return Answer(stream, status, b"".join(parts))

    def _widen(self, n_bytes: int) -> None:
        """Let the server send on before the connection's window, of two gigabytes, is full."""
        self._received += n_bytes
        if self._received > 1 << 30:
            self._write(frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received)))
            self._received = 0
