"""The file system behind a URL, through fsspec, which is imported only here and only where there is a URL."""

from dataclasses import dataclass, field
from threading import Event
from typing import Any

from indexer.errors import MissingBackendError, RemoteError

# scheme: (what opens it beside fsspec, the extra that brings both)
_BACKENDS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "file": ("fsspec", "s3")}


@dataclass(frozen=True)
class Patience:
    """How long to put up with a remote that does not answer."""

    timeout_s: float = 30.0
    """How long one request may wait for its connection, or for the next bytes."""
    attempts: int = 4
    """How often a request is made in all."""
    first_delay_s: float = 0.25
    """The wait before the second attempt; it doubles."""
    stopping: Event = field(default_factory=Event)
    """Once set, nothing is waited for or begun any more."""


def scheme_of(url: str) -> str:
    """Such as "s3". Raises RemoteError for one that this program does not open."""
    scheme, _, place = url.partition("://")
    if scheme not in _BACKENDS:
        raise RemoteError(url, f"opens with none of {', '.join(f'{known}://' for known in _BACKENDS)}; which is meant?")
    if not place.strip("/"):
        raise RemoteError(url, "names no place; write it as s3://BUCKET/PREFIX or file:///FOLDER")
    if scheme != "file" and any(part in ("", ".", "..") for part in place.rstrip("/").split("/")):
        raise RemoteError(url, "has an empty part, '.' or '..' in it; write it as s3://BUCKET/PREFIX")
    return scheme


def connect(url: str, patience: Patience) -> tuple[Any, str]:
    """The file system of `url` and the path in it. Raises RemoteError, MissingBackendError."""
    scheme = scheme_of(url)
    module, extra = _BACKENDS[scheme]
    try:
        import fsspec

        # No listing may be older than the question, and no setting of ours may reach other people's instances.
        options = {"skip_instance_cache": True, "use_listings_cache": False, **_options(scheme, patience)}
        system = fsspec.filesystem(scheme, **options)
    except ImportError as error:
        raise MissingBackendError(url, module, extra) from error
    if scheme == "s3":
        # One place waits and tries again (`Objects`); s3fs would multiply that by five.
        system.retries = 1
    path: str = system._strip_protocol(url)
    return system, path.rstrip("/")


def _options(scheme: str, patience: Patience) -> dict[str, Any]:
    """What bounds the back end's own waiting and memory; credentials and endpoint it takes from the environment."""
    match scheme:
        case "s3":
            # A part of a large upload is tried again by itself; without that, the whole file would be.
            tries = {"mode": "standard", "max_attempts": 1 if patience.attempts == 1 else 2}
            timeouts = {"connect_timeout": min(5.0, patience.timeout_s), "read_timeout": patience.timeout_s}
            return {"config_kwargs": {**timeouts, "retries": tries}, "max_concurrency": 2}
        case "gs":
            return {"requests_timeout": patience.timeout_s}
    return {"auto_mkdir": True}
