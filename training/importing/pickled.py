"""Reads plain values from a pickle without running it: nothing is imported, called or built but what `plain` has.

A pickle is a program for a stack machine that may call anything. This is a machine of its own for the instructions
that dicts, sets of whole numbers, numbers, texts and NumPy scalars are written with in protocols 4 and 5. Every other
instruction and every other name is refused where it stands; what comes before it has made plain values only.

What it holds in memory is in proportion to the file: whatever could be small there and large here, or be handed out
many times over, has a limit.
"""

import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from training.errors import ImportingError
from training.importing.numpy_scalar import DType
from training.importing.plain import Members, Name, OnStack, Table, Value
from training.importing.stack import Stack

_MOST_BYTES = 1 << 30
_NAMES = {
    Name("numpy", "dtype"),
    # Of NumPy 1 and of NumPy 2.
    Name("numpy.core.multiarray", "scalar"),
    Name("numpy._core.multiarray", "scalar"),
}
# Whole numbers of one width, one after the other: sets are made of them, so they are read many at once.
_NUMBERS = re.compile(rb"(?:K.){1,2000}|(?:M..){1,2000}|(?:J....){1,2000}", re.DOTALL)
_NUMBER_TYPES = {ord("K"): "u1", ord("M"): "<u2", ord("J"): "<i4"}
_INT64_BYTES = 8


def read_pickle(file: Path, most_sets: int) -> Value:
    """The plain value in `file`, which has at most `most_sets` sets.

    Raises ImportingError naming the byte, and the instruction or name, of the first thing that is not plain.
    """
    n_bytes = file.stat().st_size
    if n_bytes > _MOST_BYTES:
        raise ImportingError(f"{file}: its {n_bytes:,} bytes are more than the {_MOST_BYTES:,} that are read")
    machine = _Machine(file.read_bytes(), most_sets)
    try:
        return machine.run()
    except ValueError as error:
        raise ImportingError(f"{file}: byte {machine.at}: {error}; nothing in it was run") from error


class _Machine:
    """Its methods raise ValueError saying what is refused; `at` is then the byte of the instruction."""

    def __init__(self, data: bytes, most_sets: int) -> None:
        self.at = 0
        self._data = data
        self._next = 0
        self._stack = Stack(most_sets)

    def run(self) -> Value:
        """The value that is left at the end."""
        self._check_protocol()
        instructions = self._instructions()
        while True:
            self.at = self._next
            code = self._take(1)[0]
            if code in _NUMBER_TYPES:
                self._numbers(code)
            elif code == ord("."):
                return self._result()
            elif code in instructions:
                instructions[code]()
            else:
                raise ValueError(_foreign(code))

    def _instructions(self) -> Mapping[int, Callable[[], None]]:
        push, pop = self._stack.push, self._stack.pop
        return {
            0x95: self._frame,
            ord("N"): lambda: push(None),
            0x88: lambda: push(True),
            0x89: lambda: push(False),
            0x8A: self._long,
            ord("G"): lambda: push(struct.unpack(">d", self._take(8))[0]),
            0x8C: lambda: self._text(1),
            ord("X"): lambda: self._text(4),
            ord("C"): lambda: push(self._counted(1)),
            ord("B"): lambda: push(self._counted(4)),
            0x94: self._stack.memoise,
            ord("h"): lambda: self._stack.recall(self._count(1)),
            ord("j"): lambda: self._stack.recall(self._count(4)),
            ord("("): self._stack.mark,
            ord("}"): self._stack.push_table,
            0x8F: self._stack.push_set,
            ord("s"): lambda: self._set_items(pop(2)),
            ord("u"): lambda: self._set_items(self._stack.pop_marked()),
            0x90: self._add_items,
            0x86: lambda: self._tuple(pop(2)),
            0x87: lambda: self._tuple(pop(3)),
            ord("t"): lambda: self._tuple(self._stack.pop_marked()),
            0x93: self._name,
            ord("R"): self._reduce,
            ord("b"): self._build,
        }

    def _check_protocol(self) -> None:
        if self._data[:1] != b"\x80":
            raise ValueError("it is no pickle of protocol 4 or 5, which is how the notebook saves")
        protocol = self._take(2)[1]
        if protocol not in (4, 5):
            raise ValueError(f"it is a pickle of protocol {protocol}; only 4 and 5, Python's defaults, are read")

    def _result(self) -> Value:
        if self._next != len(self._data):
            raise ValueError(f"{len(self._data) - self._next:,} bytes follow its end")
        value = self._stack.only()
        if isinstance(value, bytes | tuple | Name | DType):
            raise ValueError(f"it holds a {type(value).__name__}, not a dict")
        return value

    def _take(self, n: int) -> bytes:
        self._check_left(n)
        taken = self._data[self._next : self._next + n]
        self._next += n
        return taken

    def _check_left(self, n: int) -> None:
        left = len(self._data) - self._next
        if n > left:
            raise ValueError(f"it is cut off: {n:,} bytes should follow, there are {left:,}")

    def _count(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _counted(self, width: int) -> bytes:
        return self._take(self._count(width))

    def _frame(self) -> None:
        self._check_left(self._count(8))

    def _numbers(self, code: int) -> None:
        kind = np.dtype(_NUMBER_TYPES[code])
        match = _NUMBERS.match(self._data, self.at)
        if match is None:
            self._take(kind.itemsize)
            return
        self._next = match.end()
        numbers = np.frombuffer(match[0], np.dtype([("code", "u1"), ("number", kind)]))["number"]
        self._stack.push_numbers(numbers.tolist())

    def _long(self) -> None:
        raw = self._counted(1)
        if len(raw) > _INT64_BYTES:
            raise ValueError(f"a whole number of {len(raw)} bytes; 64 bits are the most")
        self._stack.push(int.from_bytes(raw, "little", signed=True))

    def _text(self, width: int) -> None:
        try:
            self._stack.push(self._counted(width).decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"a text that is not UTF-8: {error.reason}") from error

    def _set_items(self, values: list[OnStack]) -> None:
        table, keys, items = self._stack.top(), values[::2], values[1::2]
        if not isinstance(table, Table) or len(keys) != len(items):
            raise ValueError("items for something that is no dict")
        self._stack.count_entries(len(values))
        for key, item in zip(keys, items, strict=True):
            # By its exact type: True is no id.
            if type(key) not in (int, float, str):
                raise ValueError(f"a dict with a key of type {type(key).__name__}; ids are numbers or texts")
            if isinstance(item, bytes | tuple | Name | DType):
                raise ValueError(f"a dict with a value of type {type(item).__name__}")
            table.keys.append(key)  # type: ignore[arg-type]  # its type is proved above
            table.values.append(item)

    def _add_items(self) -> None:
        values, members = self._stack.pop_marked(), self._stack.top()
        if not isinstance(members, Members):
            raise ValueError("members for something that is no set")
        if any(type(value) is not int for value in values):
            raise ValueError("a set of something else than whole numbers")
        members.numbers.extend(values)  # type: ignore[arg-type]  # whole numbers, as proved above

    def _tuple(self, values: list[OnStack]) -> None:
        if any(isinstance(value, tuple | Table | Members | Name) for value in values):
            raise ValueError("a tuple of other things than a NumPy scalar is made of")
        self._stack.push(tuple(values))

    def _name(self) -> None:
        module, name = self._stack.pop(2)
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is no text")
        found = Name(module, name)
        if found not in _NAMES:
            raise ValueError(f"it asks for {str(found)[:80]!r}, and only NumPy's numbers and texts may be asked for")
        self._stack.push(found)

    def _reduce(self) -> None:
        match self._stack.pop(2):
            case Name(name="dtype"), (str(code), bool(), bool()):
                self._stack.push(DType(code))
            case Name(name="scalar"), (DType() as kind, bytes(raw)):
                self._stack.push(kind.value(raw))
            case _:
                raise ValueError("a call (REDUCE) that makes no NumPy scalar")

    def _build(self) -> None:
        [state] = self._stack.pop(1)
        kind = self._stack.top()
        if not isinstance(kind, DType):
            raise ValueError("a state (BUILD) for something that is no NumPy type")
        kind.set_state(state)


def _foreign(code: int) -> str:
    known = [instruction.name for instruction in pickletools.opcodes if instruction.code == chr(code)]
    told = f"instruction {known[0]}" if known else f"byte 0x{code:02x}, which is no instruction"
    return f"{told}; plain ids, titles and sets need none such"
