"""Protobuf's wire format, so far as answers are put together from parts that were encoded before.

Fields may come in any order, and two encodings of one message, one after the other, are the encoding of both together
(protobuf.dev/programming-guides/encoding).
"""

from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_WIRE_TYPES = {FieldDescriptor.CPPTYPE_FLOAT: 5, FieldDescriptor.CPPTYPE_MESSAGE: 2}


class Encoded(NamedTuple):
    """A message that is encoded already."""

    data: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802  as a message has it
        """It."""
        return self.data


def tag(message: type[Message], name: str) -> bytes:
    """What stands before each value of the field called `name`, of floats or messages."""
    field = message.DESCRIPTOR.fields_by_name[name]
    return varint(field.number << 3 | _WIRE_TYPES[field.cpp_type])


def delimited(data: bytes) -> bytes:
    """A message with its length before it, as it follows its tag."""
    return varint(len(data)) + data


def varint(number: int) -> bytes:
    """`number`, 0 or more, seven bits a byte, the least significant first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
