"""NumPy scalars as they lie in a pickle: a dtype's code and state, and the scalar's bytes."""

import re
from dataclasses import dataclass

import numpy as np

# bool, whole numbers, floats and texts; the number is bytes, of a text characters.
_CODE = re.compile(r"(b1|[iu][1248]|f[248]|U[1-9][0-9]{0,3})\Z")
_BYTES_OF_A_CHARACTER = 4


@dataclass
class DType:
    """A dtype, from the code that its pickle has, such as i8 or U12, and later its state. Raises ValueError."""

    code: str
    order: str = "|"

    def __post_init__(self) -> None:
        if not _CODE.match(self.code):
            raise ValueError(f"a NumPy scalar of type {self.code[:20]!r}; only numbers and texts are read")

    @property
    def n_bytes(self) -> int:
        """Of one scalar."""
        size = int(self.code[1:])
        return size * _BYTES_OF_A_CHARACTER if self.code[0] == "U" else size

    def set_state(self, state: object) -> None:
        """Take the byte order from (3, order, None, None, None, itemsize, alignment, flags). Raises ValueError."""
        match state:
            case (3, "<" | ">" | "|" as order, None, None, None, int(), int(), int()):
                self.order = order
            case _:
                raise ValueError("a dtype with a state that no number or text has")

    def value(self, raw: bytes) -> bool | int | float | str:
        """The scalar that `raw` holds. Raises ValueError where it does not fit."""
        if len(raw) != self.n_bytes:
            raise ValueError(f"a NumPy scalar of {len(raw)} bytes, not the {self.n_bytes} of {self.code}")
        if self.code[0] == "U":
            return raw.decode("utf-32-be" if self.order == ">" else "utf-32-le").rstrip("\0")
        value: bool | int | float = np.frombuffer(raw, f"{self.order}{self.code}")[0].item()
        return value
