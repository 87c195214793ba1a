"""What every transport is."""

import threading
from collections.abc import Callable
from typing import Protocol

import grpc

from server.address import Address


class Transport(Protocol):
    """Takes calls at one address and lets methods answer them, from `start` to `stop`."""

    def add(self, add_to_server: Callable[[grpc.Server], None]) -> None:
        """Let `add_to_server` add a service that brings threads of its own and is never refused for load."""

    def bind(self, wanted: Address) -> Address:
        """Take the address; as it is, with its port. Raises AddressError."""

    def start(self) -> None:
        """Listen."""

    def stop(self, grace_s: float) -> threading.Event:
        """Take no more calls, let those that run end within `grace_s` seconds; set when they have."""

    def close(self) -> None:
        """End the threads; to be called once stopped."""

    @property
    def here(self) -> int:
        """How many requests wait or are worked on."""

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
