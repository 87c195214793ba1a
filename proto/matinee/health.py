"""grpc.health.v1 by its bytes, so that the client needs no further package."""

from typing import Any

import grpc

from matinee.errors import UnavailableError

CHECK = "/grpc.health.v1.Health/Check"
WHOLE_SERVER = b""
"""The request: no service is named."""
SERVING = b"\x08\x01"
"""The response of a server that has a model."""
POLL_S = 0.05
"""How long to wait between checks of a server that is there and not ready."""


def is_absence(error: Any) -> bool:
    """Whether a check that ended with `error`, gRPC's own, found no server: one may yet come."""
    return error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def not_ready(address: str, timeout_s: float) -> UnavailableError:
    """What is raised where a server was waited for in vain."""
    return UnavailableError(f"the server at {address} is not ready after {timeout_s:g} s", "UNAVAILABLE")
