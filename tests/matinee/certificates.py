"""Certificates for one test: an authority, and what it signed for a server and for a client."""

from pathlib import Path

import grpc
import trustme

from server.trust.tls import TlsFiles


class Certificates:
    """`ca`, `cert` and `key` are the files of a client, `server` those of a server."""

    def __init__(self, folder: Path, server_name: str = "127.0.0.1") -> None:
        folder.mkdir(exist_ok=True)
        self._authority = trustme.CA()
        self._server = self._authority.issue_cert(server_name)
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)
        self.server = TlsFiles(*_written(self._server, folder / "server"))
        self.cert, self.key = _written(self._authority.issue_cert("client@example.com"), folder / "client")

    def credentials(self, mutual: bool = False) -> grpc.ServerCredentials:
        """The server's; `mutual` asks for the client's certificate too."""
        pair = (self._server.private_key_pem.bytes(), self._server.cert_chain_pems[0].bytes())
        roots = self._authority.cert_pem.bytes() if mutual else None
        return grpc.ssl_server_credentials([pair], roots, require_client_auth=mutual)


def _written(pair: trustme.LeafCert, path: Path) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    certificate, key = path.with_suffix(".pem"), path.with_suffix(".key")
    pair.cert_chain_pems[0].write_to_path(certificate)
    pair.private_key_pem.write_to_path(key)
    return certificate, key
