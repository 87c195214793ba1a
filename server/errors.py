"""What goes wrong in this room.

ServerError (a MatineeError)
├── RequestError             what a caller is answered instead of a result; `server/status.py` has the status of each
│   ├── UndecodableError     the bytes are not the message that the method takes
│   ├── OutOfRangeError      a field is missing or outside its range
│   ├── UnknownUserError     the model was not trained on this user
│   ├── UnknownItemError     the model was not trained on this item
│   ├── UnknownRatedItemsError  the model was trained on none of the items that somebody rated
│   ├── NoFoldInError        the model does not say how its users were fitted: it can't fit another
│   ├── NotRatingsError      the model's scores are preferences: it predicts no ratings
│   ├── NoModelError         no model version is loaded yet
│   ├── OverloadedError      too many calls are here already
│   ├── ExpiredError         the caller's deadline passed before the work began
│   ├── TooLargeError        the message is larger than any request may be
│   ├── StoppingError        the server is stopping
│   ├── UnauthenticatedError the server wants a bearer token and got none, or another
│   ├── NoSuchVersionError   Admin: the store does not have the version
│   └── StoreRefusedError    Admin: the store can't do what was asked
└── StartError               the server can't start: the process ends
    ├── AddressError         the address is taken, not this machine's, or not allowed
    └── TrustError           a certificate, a key or a file of tokens can't be used
"""

from matinee.errors import MatineeError

_SHOWN_CHARACTERS = 64


def shown(value: str) -> str:
    """`value` in quotes, control characters escaped, shortened to what fits a message."""
    if len(value) <= _SHOWN_CHARACTERS:
        return repr(value)
    return f"{value[:_SHOWN_CHARACTERS]!r}… ({len(value.encode())} bytes)"


class ServerError(MatineeError):
    """Any failure of this room."""


class RequestError(ServerError):
    """What a caller is answered instead of a result."""


class UndecodableError(RequestError):
    """The bytes are not the message that the method takes."""

    def __init__(self, message: str, n_bytes: int) -> None:
        super().__init__(f"the {n_bytes} bytes are not a {message}; is the client made from matinee.v1's .proto?")


class OutOfRangeError(RequestError):
    """A field of the request is missing or outside its range."""

    def __init__(self, field: str, value: str, expected: str) -> None:
        super().__init__(f"{field} is {value}; it must be {expected}")


class UnknownUserError(RequestError):
    """The model was not trained on this user."""

    def __init__(self, field: str, user_id: str) -> None:
        super().__init__(f"{field} {shown(user_id)}: the model was not trained on this user")


class UnknownItemError(RequestError):
    """The model was not trained on this item."""

    def __init__(self, field: str, item_id: str) -> None:
        super().__init__(f"{field} {shown(item_id)}: the model was not trained on this item")


class UnknownRatedItemsError(RequestError):
    """The model was trained on none of the items that somebody rated."""

    def __init__(self, n_ratings: int) -> None:
        super().__init__(f"ratings: the model was trained on none of the {n_ratings} rated items")


class NoFoldInError(RequestError):
    """The model does not say how its users were fitted, so that nobody else can be."""

    def __init__(self) -> None:
        super().__init__(
            "this model does not say how its users were fitted: it was imported, or trained by an older release;"
            " publish one of: matinee train"
        )


class NotRatingsError(RequestError):
    """The model's scores are preferences: it predicts no ratings."""

    def __init__(self) -> None:
        super().__init__(
            "this model was trained to rank, so its scores are preferences and it predicts no ratings;"
            " ask Recommend, or publish a model of: matinee train --objective rating"
        )


class NoModelError(RequestError):
    """No model version is loaded yet."""

    def __init__(self) -> None:
        super().__init__("no model version is loaded yet; publish one: matinee index EMBEDDINGS STORE")


class OverloadedError(RequestError):
    """Too many calls are here already."""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting; try again a moment later")


class ExpiredError(RequestError):
    """The caller's deadline passed before the work began."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the work began")


class TooLargeError(RequestError):
    """The message is larger than any request may be."""

    def __init__(self, n_bytes: int, most: int) -> None:
        super().__init__(f"the request has {n_bytes} bytes; it may have {most}")


class StoppingError(RequestError):
    """The server is stopping."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; ask another")


class UnauthenticatedError(RequestError):
    """The server wants a bearer token and got none, or another."""

    def __init__(self) -> None:
        super().__init__(
            "this server wants a bearer token that it knows; send the metadata authorization: Bearer TOKEN"
        )


class NoSuchVersionError(RequestError):
    """The store does not have the version."""


class StoreRefusedError(RequestError):
    """The store can't do what was asked; its own sentence says why."""


class StartError(ServerError):
    """The server can't start."""


class AddressError(StartError):
    """The address is taken, not this machine's, or not allowed."""


class TrustError(StartError):
    """A certificate, a key or a file of tokens can't be used."""
