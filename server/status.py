"""Which gRPC status each error is answered with: the one table."""

import grpc

from server.errors import (
    ExpiredError,
    NoFoldInError,
    NoModelError,
    NoSuchVersionError,
    NotRatingsError,
    OutOfRangeError,
    OverloadedError,
    RequestError,
    StoppingError,
    StoreRefusedError,
    TooLargeError,
    UnauthenticatedError,
    UndecodableError,
    UnknownItemError,
    UnknownRatedItemsError,
    UnknownUserError,
)

STATUS: dict[type[RequestError], grpc.StatusCode] = {
    UndecodableError: grpc.StatusCode.INVALID_ARGUMENT,
    OutOfRangeError: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownUserError: grpc.StatusCode.NOT_FOUND,
    UnknownItemError: grpc.StatusCode.NOT_FOUND,
    UnknownRatedItemsError: grpc.StatusCode.NOT_FOUND,
    NoFoldInError: grpc.StatusCode.FAILED_PRECONDITION,
    NotRatingsError: grpc.StatusCode.FAILED_PRECONDITION,
    NoModelError: grpc.StatusCode.UNAVAILABLE,
    OverloadedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooLargeError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoppingError: grpc.StatusCode.UNAVAILABLE,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    NoSuchVersionError: grpc.StatusCode.NOT_FOUND,
    StoreRefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    ExpiredError: grpc.StatusCode.DEADLINE_EXCEEDED,
}
