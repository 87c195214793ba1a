"""Whom a listener trusts."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from server.address import Address
from server.trust.tls import TlsFiles, server_credentials
from server.trust.tokens import Tokens


@dataclass(frozen=True)
class Trust:
    """What callers must show, and what connections are encrypted with; by default nothing."""

    tls: TlsFiles | None = None
    """Plain text where it is None."""
    token_file: Path | None = None
    """The hashes of tokens, of which a call must bring one; where it is None, calls need none."""

    def tokens(self) -> Tokens | None:
        """The tokens, or None where calls need none. Raises TrustError."""
        return Tokens(self.token_file) if self.token_file else None

    def credentials(self) -> grpc.ServerCredentials | None:
        """What gRPC listens with, or None for plain text. Raises TrustError."""
        return server_credentials(self.tls) if self.tls else None

    @property
    def is_open(self) -> bool:
        """Whether whoever can reach the listener is answered."""
        return self.token_file is None and not (self.tls and self.tls.client_authority)

    def warning(self, address: Address) -> str | None:
        """What whoever listens at `address` should know, or None."""
        if address.is_local:
            return None
        lacks = ["the connections are not encrypted (--tls-cert, --tls-key)"] if self.tls is None else []
        lacks += ["whoever can reach it is answered (--token-file)"] if self.is_open else []
        return f"{address} can be reached from other machines: {' and '.join(lacks)}" if lacks else None


OPEN = Trust()
"""Whoever calls is answered, in plain text."""
