"""Where the server processes of one command count, and the one listener that tells it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from matinee.errors import UsageError
from server.address import Address
from server.observing.options import Seen
from server.observing.pages import Board


@dataclass(frozen=True)
class Metrics:
    """What is there while metrics are told."""

    board: Board
    """Where each process counts."""
    address: Address
    """Where they are told."""

    def warning(self) -> str | None:
        """What whoever tells them there should know, or None."""
        if self.address.is_local:
            return None
        return f"{self.address} can be reached from other machines: whoever can reach it reads the metrics"


@contextmanager
def metrics_of(n_workers: int, seen: Seen) -> Iterator[Metrics | None]:
    """Where `n_workers` processes may count, and who tells it; None where no metrics are asked for.

    For the process that starts the others, or the only one. Raises UsageError, AddressError.
    """
    if seen.metrics_address is None:
        if seen.shadow_rate:
            raise UsageError("--shadow-rate tells the live recall in the metrics; give --metrics-address too")
        yield None
        return
    # Imported only here: a server without metrics starts the sooner.
    from server.observing.listener import MetricsListener

    with closing(Board(n_workers)) as board, closing(MetricsListener(board, seen.metrics_address)) as listener:
        yield Metrics(board, listener.address)
