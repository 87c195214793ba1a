"""What names one call in logs, traces and at its caller: the id that came with it, or a new one."""

import random
import re
from typing import Any, Protocol

KEY = "x-request-id"
"""The metadata that carries it, in both directions."""

# What fits a line of a log and a header, and is nobody's way to forge one.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,127}")


class Caller(Protocol):
    """What is known of a call beside its request; a grpc.ServicerContext is one."""

    def invocation_metadata(self) -> Any:
        """The metadata that came with the call, pairs of key and value."""


def sent(caller: Caller | None) -> str | None:
    """The id that came with the call, at most 128 letters, digits and ._:/@+=-; None where none did, or another."""
    value = metadata(caller, KEY)
    return value if value is not None and _SANE.fullmatch(value) else None


def echo(caller: Caller) -> tuple[tuple[str, str], ...]:
    """The trailing metadata that tells a caller the id that it sent; none where it sent none."""
    request_id = sent(caller)
    return ((KEY, request_id),) if request_id else ()


def new() -> str:
    """Sixteen hexadecimal digits that no other call has."""
    return f"{random.getrandbits(64):016x}"


def metadata(caller: Caller | None, key: str) -> str | None:
    """The first value that came with the call under `key`, as text; None where there is none."""
    for name, value in (caller.invocation_metadata() or ()) if caller else ():
        if name == key and isinstance(value, str):
            return value
    return None
