"""The notebook's mappings: ids ↔ rows, titles by id, what each user has seen; all of it proved before it is used."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.columns import Ragged
from training.data.titles import Titles
from training.errors import ImportingError
from training.importing.ids import GivenIds, Rows
from training.importing.plain import Members, Scalar, Table, Value

_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Mappings:
    """Its methods raise ImportingError naming the mapping and the entry that is not right."""

    file: Path
    by_name: dict[str, Value]

    @classmethod
    def of(cls, value: Value, file: Path) -> "Mappings":
        """Those in `value`, which `file` holds."""
        if not isinstance(value, Table):
            raise ImportingError(f"{file}: holds {_said(value)}, not the notebook's mappings by their names")
        by_name = {key: item for key, item in zip(value.keys, value.values, strict=True) if isinstance(key, str)}
        return cls(file, by_name)

    def ids(self, kind: str, n: int) -> GivenIds:
        """The ids of rows 0 … n - 1; `kind` is user or movie. They are proved in both directions."""
        told = self.by_name.get("num_users" if kind == "user" else "num_items", n)
        if type(told) is not int or told != n:
            raise ImportingError(f"{self.file}: it counts {told!r} {kind}s, and there are {n:,} rows of embeddings")
        name = f"{kind}_to_idx"
        to_row = self._table(name)
        ids = _in_order(to_row.keys, self._rows(to_row.values, n, name), self.file, name)
        back = f"idx_to_{kind}"
        if back in self.by_name:
            from_row = self._table(back)
            again = _in_order(_ids(from_row.values), self._rows(from_row.keys, n, back), self.file, back)
            for row, (one, other) in enumerate(zip(ids, again, strict=True)):
                if one != other:
                    raise ImportingError(
                        f"{self.file}: row {row} is of {kind} {one!r} by {name}, and of {other!r} by {back}"
                    )
        return _plain(ids)

    def titles(self) -> Titles:
        """By item id; an item without one has none."""
        if "movie_titles" not in self.by_name:
            return Titles()
        table = self._table("movie_titles")
        by_id: dict[str, tuple[str, list[str]]] = {}
        for key, title in zip(_ids(table.keys), table.values, strict=True):
            # pandas has NaN or None where there is no title.
            if title is None or (isinstance(title, float) and math.isnan(title)):
                continue
            if not isinstance(title, str):
                raise ImportingError(f"{self.file}: movie_titles: that of {key!r} is {_said(title)}, not a text")
            by_id[str(key)] = (title.strip(), [])
        return Titles(by_id)

    def seen(self, user_rows: Rows, item_rows: Rows) -> Ragged | None:
        """For each user the items that it has seen, or None where the export does not tell.

        The export's row j is row user_rows[j], item_rows[j] of what is returned.
        """
        if "user_consumed" not in self.by_name:
            return None
        table, n_users, n_items = self._table("user_consumed"), len(user_rows), len(item_rows)
        users = self._numbers(table.keys, n_users, "user_consumed")
        if len(np.unique(users)) < len(users):
            raise ImportingError(f"{self.file}: user_consumed: a user is in it twice")
        lists = [self._items(user, items) for user, items in zip(users, table.values, strict=True)]
        of_users = np.repeat(users, [len(items) for items in lists])
        of_items = np.concatenate([np.zeros(0, np.int64), *lists])
        outside = (of_items < 0) | (of_items >= n_items)
        if outside.any():
            first = int(np.argmax(outside))
            raise ImportingError(
                f"{self.file}: user_consumed: that of row {of_users[first]} holds {of_items[first]},"
                f" and there are {n_items:,} items"
            )
        # One number for a pair: sorted, they are in the order of users, then items.
        pairs = user_rows[of_users]
        pairs *= n_items
        pairs += item_rows[of_items]
        pairs.sort()
        pairs = pairs[np.diff(pairs, prepend=-1) != 0]
        offsets = np.zeros(n_users + 1, np.int64)
        np.cumsum(np.bincount(pairs // n_items, minlength=n_users), out=offsets[1:])
        return Ragged(offsets, (pairs % n_items).astype(np.int32))

    def _items(self, user: int, items: Value) -> NDArray[np.int64]:
        if not isinstance(items, Members):
            raise ImportingError(f"{self.file}: user_consumed: that of row {user} is {_said(items)}, not a set of rows")
        return items.to_array()

    def _table(self, name: str) -> Table:
        table = self.by_name.get(name)
        if not isinstance(table, Table):
            found = _said(table) if name in self.by_name else "missing"
            raise ImportingError(f"{self.file}: {name} is {found}; it must be a dict, as the notebook saves it")
        return table

    def _rows(self, values: list[Value] | list[Scalar], n: int, name: str) -> NDArray[np.int64]:
        """These rows, each of 0 … n - 1 once."""
        rows = self._numbers(values, n, name)
        counts = np.bincount(rows, minlength=n)
        if (counts != 1).any():
            row = int(np.argmax(counts != 1))
            raise ImportingError(f"{self.file}: {name}: row {row} has {counts[row]} ids; each of {n:,} rows has one")
        return rows

    def _numbers(self, values: list[Value] | list[Scalar], n: int, name: str) -> NDArray[np.int64]:
        for value in values:
            if type(value) is not int or not 0 <= value < n:
                raise ImportingError(f"{self.file}: {name}: {_said(value)} is no row from 0 to {n - 1}")
        return np.array(values, np.int64)


def _in_order(keys: list[Scalar], rows: NDArray[np.int64], file: Path, name: str) -> list[Scalar]:
    """The keys by their rows: whole numbers of 64 bits, or texts. Raises ImportingError naming one that is neither."""
    for key in keys:
        if type(key) not in (int, str) or (isinstance(key, int) and not _INT64.min <= key <= _INT64.max):
            raise ImportingError(f"{file}: {name}: {_said(key)} is no id; ids are whole numbers or texts")
    ordered: list[Scalar] = [None] * len(keys)
    for key, row in zip(keys, rows.tolist(), strict=True):
        ordered[row] = key
    return ordered


def _ids(values: list[Value] | list[Scalar]) -> list[Scalar]:
    return [value if isinstance(value, int | str) else None for value in values]


def _plain(ids: list[Scalar]) -> GivenIds:
    if all(isinstance(one, int) for one in ids):
        return np.array(ids, np.int64)
    return [str(one) for one in ids]


def _said(value: object) -> str:
    match value:
        case Table():
            return "a dict"
        case Members():
            return "a set"
        case _:
            return repr(value)[:80]
