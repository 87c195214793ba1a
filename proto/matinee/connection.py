"""Where the servers are and how to get through to them: what both clients' channels are made of."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeVar

import grpc

from matinee.calls import Call
from matinee.errors import UsageError
from matinee.hedging import Hedging
from matinee.targets import addresses_of, is_on_this_machine, target_of

Metadata = tuple[tuple[str, str], ...]
_Channel = TypeVar("_Channel")


class Keywords(TypedDict):
    """What gRPC is given with a request."""

    timeout: float
    metadata: Metadata


_LEAST_BACKOFF_MS = 10.0
# As the server takes them: others it replaces with one of its own.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,127}")
_SERVICE = {"service": "matinee.v1.Recommender"}
_OPTIONS: list[tuple[str, int | str]] = [
    # The answers to 10,000 ids may be longer than gRPC's default of 4 MiB.
    ("grpc.max_receive_message_length", 64 << 20),
    # How long a request may be that is sent again: a batch too, where gRPC's default is 256 KiB.
    ("grpc.per_rpc_retry_buffer_size", 64 << 20),
    # A server that was just started is found soon, and one that is gone is not hammered.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # What is said here about retries is not overruled from a name server.
    ("grpc.service_config_disable_resolution", 1),
]


@dataclass(frozen=True)
class Retry:
    """Ask again after UNAVAILABLE, RESOURCE_EXHAUSTED or CANCELLED, later each time, as long as the deadline allows.

    CANCELLED is what gRPC's own server says of a call that it did not come to: it was flooded, or stopped.

    A server that says how long to stay away (grpc-retry-pushback-ms) is obeyed. Where most calls fail, nobody is asked
    again until most succeed. gRPC itself does all this: retryPolicy and retryThrottling of its service config.
    """

    max_attempts: int = 3
    """How often to ask at most, 1 to 5; 1 never asks again."""
    initial_backoff_ms: float = 20.0
    """How long to wait before the second attempt, give or take a fifth; at least 10."""
    max_backoff_ms: float = 500.0
    """The longest wait."""
    backoff_multiplier: float = 2.0
    """Each wait is that many times the one before, at least 1."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= 5:
            raise UsageError(f"max_attempts is {self.max_attempts}; it must be 1 to 5")
        # Below a millisecond gRPC may never ask again, and let the call wait for its deadline: grpc/grpc#41036.
        if not _LEAST_BACKOFF_MS <= self.initial_backoff_ms <= self.max_backoff_ms or self.backoff_multiplier < 1:
            raise UsageError(f"{self}: back-off must begin with {_LEAST_BACKOFF_MS} ms or more, and not shrink")


RETRY = Retry()


@dataclass(frozen=True)
class Tls:
    """An encrypted channel to servers that prove who they are; all files are PEM."""

    ca: Path | str | None = None
    """Whom to trust; the authorities that gRPC brings along where None."""
    cert: Path | str | None = None
    """This client's certificate, where the server asks for one."""
    key: Path | str | None = None
    """The key of `cert`."""
    server_name: str | None = None
    """The name that the server's certificate must have, where it is not the address."""

    def credentials(self) -> grpc.ChannelCredentials:
        """The files, read. Raises OSError where one can't be, UsageError where `cert` or `key` comes alone."""
        if (self.cert is None) != (self.key is None):
            raise UsageError("a client's certificate and its key go together: give both cert and key, or neither")
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))


@dataclass(frozen=True)
class Connection:
    """One or several servers that answer alike, and the way to them. Raises UsageError where they can't be meant."""

    address: str | Sequence[str] = "127.0.0.1:50051"
    """HOST:PORT, unix:PATH, dns:///NAME:PORT, or several, as a list or with commas; each is asked in turn."""
    timeout_s: float = 1.0
    """The deadline of a call that has no other."""
    tls: Tls | None = None
    """Plain text where None."""
    token: str | Callable[[], str] | None = field(default=None, repr=False)
    """The bearer token, or what returns it, asked at each call. Never sent in plain text to another machine."""
    retry: Retry | Hedging = RETRY
    """What to do about servers that fail, or that are slow: one or the other, as in gRPC."""

    def __post_init__(self) -> None:
        addresses = addresses_of(self.address)
        target_of(addresses)
        if self.token is not None and self.tls is None and not all(map(is_on_this_machine, addresses)):
            raise UsageError(f"{self}: a token in plain text can be read on the way there; give tls=Tls(…)")
        if self.tls is not None and len(addresses) > 1 and self.tls.server_name is None:
            raise UsageError(
                f"{self}: several servers under TLS need the name in their certificates, Tls(server_name=…)"
            )

    def __str__(self) -> str:
        return ",".join(addresses_of(self.address))

    def open(self, insecure: Callable[..., _Channel], secure: Callable[..., _Channel]) -> _Channel:
        """The channel, made by gRPC's or grpc.aio's `insecure_channel` or `secure_channel`."""
        target, options = target_of(addresses_of(self.address)), self._options()
        if self.tls is None:
            return insecure(target, options=options)
        return secure(target, self.tls.credentials(), options=options)

    def keywords(self, call: Call[object]) -> Keywords:
        """What gRPC is given with the request. Raises UsageError where no header can carry its id or the token."""
        timeout_s = self.timeout_s if call.timeout_s is None else call.timeout_s
        return {"timeout": timeout_s, "metadata": self.metadata(call.request_id)}

    def metadata(self, request_id: str) -> Metadata:
        """What goes before a request. Raises UsageError where no header can carry it."""
        if not _REQUEST_ID.fullmatch(request_id):
            raise UsageError(f"request_id is {request_id!r}; it must be 1 to 128 letters, digits and ._:/@+=-")
        if self.token is None:
            return (("x-request-id", request_id),)
        token = self.token() if callable(self.token) else self.token
        if not (token.isascii() and token.isprintable()):
            # Without the value: it is a secret.
            raise UsageError("the token must be printable ASCII")
        return (("x-request-id", request_id), ("authorization", f"Bearer {token}"))

    def _options(self) -> list[tuple[str, int | str]]:
        options = [*_OPTIONS, ("grpc.service_config", json.dumps(service_config(self.retry)))]
        if self.tls is not None and self.tls.server_name is not None:
            options += [("grpc.default_authority", self.tls.server_name)]
        return options


def service_config(retry: Retry | Hedging) -> dict[str, object]:
    """What gRPC is told, in the form that its clients in every language read."""
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if not isinstance(retry, Retry) or retry.max_attempts == 1:
        return config
    policy = {
        "maxAttempts": retry.max_attempts,
        "initialBackoff": f"{retry.initial_backoff_ms / 1000:.6f}s",
        "maxBackoff": f"{retry.max_backoff_ms / 1000:.6f}s",
        "backoffMultiplier": retry.backoff_multiplier,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"],
    }
    throttling = {"maxTokens": 10, "tokenRatio": 0.1}
    return {**config, "methodConfig": [{"name": [_SERVICE], "retryPolicy": policy}], "retryThrottling": throttling}


def _read(path: Path | str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
