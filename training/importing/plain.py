"""What a pickle of plain values is read into: nothing here can run, and nothing of it is hashed or compared."""

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.importing.numpy_scalar import DType

Scalar = bool | int | float | str | None


@dataclass
class Table:
    """A dict, as pairs in the order of the pickle: a dict would hash what a stranger chose to make that slow."""

    keys: list[Scalar] = field(default_factory=list)
    values: list["Value"] = field(default_factory=list)


@dataclass
class Members:
    """A set of whole numbers, in the order of the pickle; one that it has twice is here twice."""

    numbers: "array[int]" = field(default_factory=lambda: array("q"))

    def to_array(self) -> NDArray[np.int64]:
        """The same, int64 (n,)."""
        return np.frombuffer(self.numbers, np.int64)


@dataclass(frozen=True)
class Name:
    """Of a callable: known by this name alone, never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


Value = Scalar | Table | Members
OnStack = Value | bytes | tuple[Any, ...] | Name | DType
