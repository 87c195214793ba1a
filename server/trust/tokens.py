"""Bearer tokens, of which a server knows the hashes alone."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path

from server.errors import TrustError
from server.trust.files import Reloaded, sentence

_KEY = "authorization"
_SCHEME = "bearer "
_HASH_BYTES = 32
_TOKEN_BYTES = 32


class Tokens:
    """The tokens whose sha256 stands in a file: one a line in hexadecimal, empty lines and # comments between them."""

    def __init__(self, file: Path) -> None:
        try:
            self._hashes = Reloaded([file], lambda: _read(file))
        except (OSError, ValueError) as error:
            raise TrustError(sentence(error)) from error

    def allow(self, metadata: Iterable[tuple[str, str | bytes]]) -> bool:
        """Whether the metadata of a call bring one of the tokens."""
        token = _token(metadata)
        if token is None:
            return False
        theirs = hashlib.sha256(token.encode()).digest()
        # All are compared, each in constant time: how long it takes says nothing of any.
        return sum([hmac.compare_digest(theirs, ours) for ours in self._hashes.value()]) > 0


def fresh_token() -> tuple[str, str]:
    """A new token, and the hash that stands for it in a file."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, hashlib.sha256(token.encode()).hexdigest()


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    for key, value in metadata:
        if key == _KEY and isinstance(value, str) and value[: len(_SCHEME)].lower() == _SCHEME:
            return value[len(_SCHEME) :].strip()
    return None


def _read(file: Path) -> list[bytes]:
    lines = [line.partition("#")[0].strip() for line in file.read_text(errors="replace").splitlines()]
    hashes = [_hash(file, number, line) for number, line in enumerate(lines, 1) if line]
    if not hashes:
        raise ValueError(f"{file}: holds no hash of a token; make one with: matinee token")
    return hashes


def _hash(file: Path, number: int, line: str) -> bytes:
    try:
        value = bytes.fromhex(line)
    except ValueError:
        value = b""
    if len(value) != _HASH_BYTES:
        # The line itself may be a token that somebody put there by mistake.
        raise ValueError(f"{file}: line {number} is no sha256 of a token in 64 hexadecimal digits")
    return value
