"""A file of ratings as blocks that are parsed each by itself: memory is that of a few blocks, whatever the file's."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")

# One is parsed, by all cores, while the one before it is stored and the one after it is read.
_AT_ONCE = 2


class Block(Protocol):
    """Some rows that follow each other in a file, not yet parsed."""

    @property
    def n_bytes(self) -> int:
        """How much of the file it takes up, unpacked."""

    def digest(self) -> str:
        """SHA-256 of all that decides what `parse` returns: content, and how it is read."""

    def parse(self) -> Any:
        """Its rows, as `checks.checked` leaves them. Raises RatingsError naming the first value that is not right."""


def in_parallel(work: Callable[[Block], Result], blocks: Iterator[Block]) -> Iterator[tuple[Block, Result]]:
    """Each block and what `work` makes of it, in order; a few are in work at a time, by threads.

    What `work` raises for the first block that it refuses is raised here.
    """
    waiting: deque[tuple[Block, Future[Result]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for block in blocks:
                waiting.append((block, pool.submit(work, block)))
                if len(waiting) > _AT_ONCE:
                    done, result = waiting.popleft()
                    yield done, result.result()
            while waiting:
                done, result = waiting.popleft()
                yield done, result.result()
        finally:
            for _, result in waiting:
                result.cancel()
