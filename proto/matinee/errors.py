"""What goes wrong, as one sentence each: what, where, which value, what to do.

MatineeError
├── UsageError                 the command line was wrong: exit status 2
├── ServiceError               the server answered with a status other than OK, or not at all
│   ├── InvalidArgumentError   a field of the request is out of range
│   ├── NotFoundError          the model does not know this user or item
│   ├── FailedPreconditionError the model can't answer this method
│   ├── UnavailableError       no server there, or no model loaded yet
│   ├── DeadlineExceededError  no answer in time
│   ├── ResourceExhaustedError the server sheds load, or the message is too large
│   └── UnauthenticatedError   the server wants a bearer token and got none, or another
├── TrainingError              training/errors.py
├── IndexerError               indexer/errors.py
└── ServerError                server/errors.py
"""


class MatineeError(Exception):
    """Any failure that a person can act on; its text is one sentence."""


class UsageError(MatineeError):
    """The command line asks for something that does not exist or does not fit together."""


class ServiceError(MatineeError):
    """The server answered with a status other than OK, or could not be reached.

    `status` is the name of the gRPC status code, such as "NOT_FOUND"; `request_id` is what the server's log calls the
    request, empty where none was sent.
    """

    def __init__(self, message: str, status: str, request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class InvalidArgumentError(ServiceError):
    """A field of the request is missing or out of range; the message names it, its value and the range."""


class NotFoundError(ServiceError):
    """The model was not trained on this user or item."""


class FailedPreconditionError(ServiceError):
    """The model that is served can't answer this method: its scores are no ratings."""


class UnavailableError(ServiceError):
    """No server listens there, or it has no model loaded yet."""


class DeadlineExceededError(ServiceError):
    """No answer within the deadline."""


class ResourceExhaustedError(ServiceError):
    """The server sheds load, or a message is larger than it takes."""


class UnauthenticatedError(ServiceError):
    """The server wants a bearer token and got none, or another."""
