"""Matinee: recommendations over gRPC. `from matinee import Client`, or AsyncClient, is all that a backend needs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matinee.async_client import AsyncClient
    from matinee.client import Client
    from matinee.connection import Retry, Tls
    from matinee.hedging import Hedging

__all__ = ["AsyncClient", "Client", "Hedging", "Retry", "Tls"]

_MODULES = {
    "AsyncClient": "matinee.async_client",
    "Client": "matinee.client",
    "Hedging": "matinee.hedging",
    "Retry": "matinee.connection",
    "Tls": "matinee.connection",
}


def __getattr__(name: str) -> object:
    # gRPC is imported with the client and not with the package: every command and room passes through here.
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
