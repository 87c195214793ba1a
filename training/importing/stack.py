"""The stack and the memo of the machine that reads pickles, with the limits that keep small files small in memory."""

from training.importing.plain import Members, OnStack, Table

# Python writes the items of a dict or a set a thousand at a time: what is open at once is a few of these.
_MOST_ON_STACK = 10_000
_MOST_MARKS = 8
_MOST_TABLES = 64
_MOST_ENTRIES = 20_000_000
_MOST_TEXT = 1 << 28


class Stack:
    """Its methods raise ValueError saying what is missing, or more than it should be."""

    def __init__(self, most_sets: int) -> None:
        self._most_sets = most_sets
        self._n_sets = self._n_tables = self._n_entries = self._n_text = 0
        self._values: list[OnStack] = []
        self._marks: list[int] = []
        self._memo: list[OnStack] = []

    def push(self, *values: OnStack) -> None:
        """Put `values` on top, the last uppermost."""
        for value in values:
            if isinstance(value, str):
                self._n_text += len(value)
        self._values.extend(values)
        if self._n_text > _MOST_TEXT:
            raise ValueError(f"more than {_MOST_TEXT:,} characters of text")
        if len(self._values) > _MOST_ON_STACK:
            raise ValueError("more values are open at once than any dict or set needs")

    def push_numbers(self, numbers: list[int]) -> None:
        """The same for many whole numbers."""
        self._values.extend(numbers)
        self.push()

    def push_set(self) -> None:
        """Put an empty set on top."""
        self._n_sets += 1
        if self._n_sets > self._most_sets:
            raise ValueError(f"more than {self._most_sets:,} sets, one for each user")
        self.push(Members())

    def push_table(self) -> None:
        """Put an empty dict on top."""
        self._n_tables += 1
        if self._n_tables > _MOST_TABLES:
            raise ValueError(f"more than {_MOST_TABLES} dicts; the notebook has seven")
        self.push(Table())

    def top(self) -> OnStack:
        """The value on top, which stays."""
        if len(self._values) <= (self._marks[-1] if self._marks else 0):
            raise ValueError("a value is missing")
        return self._values[-1]

    def pop(self, n: int) -> list[OnStack]:
        """The `n` values on top, the uppermost last."""
        popped = []
        for _ in range(n):
            popped.append(self.top())
            self._values.pop()
        return popped[::-1]

    def mark(self) -> None:
        """Remember where the stack is now."""
        self._marks.append(len(self._values))
        if len(self._marks) > _MOST_MARKS:
            raise ValueError("dicts in dicts, deeper than any table of ids")

    def pop_marked(self) -> list[OnStack]:
        """What was put on the stack since the last mark."""
        if not self._marks:
            raise ValueError("a mark is missing")
        start = self._marks.pop()
        values = self._values[start:]
        del self._values[start:]
        return values

    def memoise(self) -> None:
        """Number the value on top, from 0."""
        self.count_entries(1)
        self._memo.append(self.top())

    def recall(self, number: int) -> None:
        """Put the value of that number on top again."""
        if number >= len(self._memo):
            raise ValueError(f"value {number} is asked for, of {len(self._memo)} so far")
        value = self._memo[number]
        if isinstance(value, Table | Members):
            # The notebook has none in two places; through such a place small files grow without end.
            raise ValueError("a dict or a set stands in two places")
        self.push(value)

    def count_entries(self, n: int) -> None:
        """Account for `n` references that will be kept."""
        self._n_entries += n
        if self._n_entries > _MOST_ENTRIES:
            raise ValueError(f"more than {_MOST_ENTRIES:,} entries")

    def only(self) -> OnStack:
        """The one value that there is."""
        if self._marks or len(self._values) != 1:
            raise ValueError("it ends without one plain value")
        return self._values[0]
