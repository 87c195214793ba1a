"""Where Prometheus reads the metrics: HTTP, on an address of its own."""

from prometheus_client import CollectorRegistry, start_http_server

from matinee.errors import UsageError
from server.address import Address, parse_address
from server.errors import AddressError
from server.observing.collector import WorkersCollector
from server.observing.pages import Board


def registry_of(board: Board) -> CollectorRegistry:
    """All metrics of the workers of `board`."""
    registry = CollectorRegistry()
    registry.register(WorkersCollector(board))
    return registry


class MetricsListener:
    """Serves what all workers of `board` count at `address`, HOST:PORT; port 0 takes any that is free.

    Raises UsageError where that is no address, AddressError where it can't be had.
    """

    def __init__(self, board: Board, address: str) -> None:
        wanted = parse_address(address, "--metrics-address")
        if wanted.path is not None:
            raise UsageError(f"--metrics-address is {address!r}; it must be HOST:PORT: Prometheus asks over TCP")
        try:
            self._server, self._thread = start_http_server(wanted.port, wanted.host, registry_of(board))
        except OSError as error:
            reason = error.strerror or error
            raise AddressError(f"can't listen at {wanted}: {reason}; choose another with --metrics-address") from error
        self.address = Address(wanted.host, self._server.server_port)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
