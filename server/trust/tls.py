"""TLS: a certificate, its key, and perhaps whose clients are let in, read anew when they change."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from server.errors import TrustError
from server.trust.files import Reloaded, sentence


@dataclass(frozen=True)
class TlsFiles:
    """PEM files."""

    certificate: Path
    """The server's certificate, and those between it and the authority that clients know."""
    key: Path
    """Its private key, not encrypted."""
    client_authority: Path | None = None
    """Certificates of the authorities that clients' certificates must be from; None: clients need none."""

    def all(self) -> list[Path]:
        """Every file."""
        return [self.certificate, self.key, *([self.client_authority] if self.client_authority else [])]


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """What gRPC listens with. A pair that changes is used from the next connection on; a bad one is not.

    Raises TrustError where they can't be used now.
    """
    try:
        current = Reloaded(files.all(), lambda: _read(files))
    except (OSError, ValueError) as error:
        raise TrustError(sentence(error)) from error
    return grpc.dynamic_ssl_server_credentials(
        current.value(),
        _Changes(current),  # type: ignore[arg-type]  # its types forget that None means no change
        require_client_authentication=files.client_authority is not None,
    )


class _Changes:
    """What gRPC asks before each handshake: the pair to go on with, or None where it is the one that it has."""

    def __init__(self, current: Reloaded[grpc.ServerCertificateConfiguration]) -> None:
        self._current = current
        self._given = current.value()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        current = self._current.value()
        if current is self._given:
            return None
        self._given = current
        return current


def _read(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    _prove(files)
    authority = files.client_authority.read_bytes() if files.client_authority else None
    return grpc.ssl_server_certificate_configuration(
        [(files.key.read_bytes(), files.certificate.read_bytes())], root_certificates=authority
    )


def _prove(files: TlsFiles) -> None:
    """Raise ValueError or OSError where gRPC could not use the files: it would fail at each handshake."""
    for file in files.all():
        # Which of them is not there, ssl does not say.
        file.open("rb").close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password it would ask the terminal for one.
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        raise ValueError(
            f"{files.certificate} and {files.key}: no certificate with its key, not encrypted, in PEM: {error.reason}"
        ) from error
    if files.client_authority:
        try:
            context.load_verify_locations(files.client_authority)
        except ssl.SSLError as error:
            raise ValueError(f"{files.client_authority}: holds no certificate in PEM: {error.reason}") from error
