"""Which exception each gRPC status is: the one table, and what makes one of a call that failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from matinee.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    ServiceError,
    UnauthenticatedError,
    UnavailableError,
)

ERRORS: dict[grpc.StatusCode, type[ServiceError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
}
"""Any other code is a plain ServiceError."""


@contextmanager
def service_errors(address: str, timeout_s: float, request_id: str = "") -> Iterator[None]:
    """Raise what gRPC or grpc.aio raises in here as the ServiceError of its status."""
    try:
        yield
    except grpc.RpcError as error:
        raise _failure(error, address, timeout_s, request_id) from error


def _failure(error: Any, address: str, timeout_s: float, request_id: str) -> ServiceError:
    # What a call raises has its code and details; the stubs do not say so.
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        details = f"no answer within {timeout_s:g} s"
    return ERRORS.get(code, ServiceError)(f"{address}: {details}", code.name, request_id)
