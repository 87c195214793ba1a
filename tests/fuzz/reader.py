"""From a fuzzer's bytes to a message, value by value: what coverage learns of one byte it learns of one decision.

All bytes mean something: where they end, zeros follow.
"""

import struct
from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.fuzz.schema import COUNTS, ODD, WEIGHTS, texts_of

_T = TypeVar("_T")
_MAX_ENTRIES = 8


class Reader:
    """Takes values off the front of `data`."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def take(self, n_bytes: int) -> bytes:
        """The next bytes."""
        taken, self._data = bytes(self._data[:n_bytes]), self._data[n_bytes:]
        return taken.ljust(n_bytes, b"\0")

    def rest(self) -> bytes:
        """All that are left."""
        return self.take(len(self._data))

    def byte(self) -> int:
        """The next byte as a number, 0 to 255."""
        return self.take(1)[0]

    def choice(self, among: Sequence[_T]) -> _T:
        """One of them, by one byte."""
        return among[self.byte() % len(among)]

    def message(self, kind: type[Message]) -> Message:
        """A message; a byte before each field says whether it is there."""
        fields = [field for field in kind.DESCRIPTOR.fields if self.byte() % 2]
        return kind(**{field.name: self._values(field) for field in fields})

    def _values(self, field: Any) -> Any:
        if not field.is_repeated:
            return self._value(field)
        return [self._value(field) for _ in range(self.byte() % (_MAX_ENTRIES + 1))]

    def _value(self, field: Any) -> Any:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            return self.message(GetMessageClass(field.message_type))
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(texts_of(field))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return bool(self.byte() % 2)
        number = "<i" if field.type == FieldDescriptor.TYPE_INT32 else "<f"
        usual = COUNTS if number == "<i" else WEIGHTS
        return self.choice(usual) if self.byte() % 2 else struct.unpack(number, self.take(4))[0]

    def _text(self, known: Sequence[str]) -> str:
        kind = self.byte() % 4
        if kind == 3:
            return self.take(self.byte() % 32).decode("utf-8", "replace")
        return self.choice(ODD if kind == 2 else known)
