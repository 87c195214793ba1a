"""A gRPC call as bytes: what is written for it, and what came back."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

DATA, HEADERS = 0, 1
END_STREAM, END_HEADERS = 0x1, 0x4
_FRAME_BYTES = 1 << 14
BROKEN = -1
"""The status of a call that ended without one."""

# In HPACK: two fields of its table; the names of three, whose values follow; two names that are not in it.
_POST_HTTP, _PATH, _AUTHORITY, _CONTENT_TYPE, _TE = b"\x83\x86", b"\x04", b"\x01", b"\x0f\x10", b"\x00\x02te"
_TIMEOUT = b"\x00\x0cgrpc-timeout"


class ProtocolError(Exception):
    """The server sent what this client does not know."""


@dataclass(frozen=True)
class Request:
    """A call, but for the number of its stream."""

    headers: bytes
    """The header block, in HPACK."""
    body: bytes
    """The message with gRPC's five bytes before it."""

    def on(self, stream: int) -> bytes:
        """What is written to make the call."""
        return frame(HEADERS, END_HEADERS, stream, self.headers) + frame(DATA, END_STREAM, stream, self.body)


class Answer(NamedTuple):
    """A call that has ended."""

    stream: int
    """The number that `benchmarks.serving.http2.Connection.send` gave it."""
    status: int
    """gRPC's code; 0 is OK, BROKEN where the server reset the call or hung up."""
    data: bytes
    """All messages, each with gRPC's five bytes before it; empty where the call was refused."""


def request(path: str, message: bytes, timeout: str | None = None) -> Request:
    """The call of the method at `path`, such as /matinee.v1.Recommender/Recommend.

    `timeout` is the deadline as gRPC spells it, such as 5S or 100m.
    """
    fields = [(_PATH, path), (_AUTHORITY, "localhost"), (_CONTENT_TYPE, "application/grpc"), (_TE, "trailers")]
    fields += [(_TIMEOUT, timeout)] if timeout else []
    assert len(message) < _FRAME_BYTES, "a longer message takes several frames"
    return Request(_POST_HTTP + b"".join(name + _text(value) for name, value in fields), framed(message))


def framed(message: bytes) -> bytes:
    """`message` as a gRPC body: not compressed, its length, itself."""
    return b"\0" + struct.pack(">I", len(message)) + message


def messages(data: bytes) -> Iterator[bytes]:
    """The messages of a gRPC body."""
    start = 0
    while start < len(data):
        compressed, length = struct.unpack_from(">BI", data, start)
        if compressed or start + 5 + length > len(data):
            raise ProtocolError("the answer is no whole, uncompressed message")
        yield data[start + 5 : start + 5 + length]
        start += 5 + length


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame of HTTP/2."""
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _text(value: str) -> bytes:
    """`value` as HPACK spells a string, without Huffman's code."""
    raw = value.encode()
    assert len(raw) < 127, "longer strings have a longer length"
    return bytes([len(raw)]) + raw
