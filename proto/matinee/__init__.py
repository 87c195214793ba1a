"""Matinee: recommendations over gRPC. `from matinee import Client` is all that a backend needs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matinee.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    # gRPC is imported with the client and not with the package: every command and room passes through here.
    if name == "Client":
        from matinee.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
