"""The flags of `matinee serve` that say whom it trusts."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from matinee.errors import UsageError
from server.trust.config import Trust
from server.trust.tls import TlsFiles


class TrustFlags(BaseModel):
    """Files of certificates and of tokens' hashes; all are read anew when they change."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    tls_cert: Path | None = None
    """The server's certificate, PEM, with those between it and the authority that clients know. Plain text without."""
    tls_key: Path | None = None
    """The private key of --tls-cert, PEM, not encrypted."""
    tls_client_ca: Path | None = None
    """Certificates of the authorities, PEM, that clients' certificates must be from. Clients need none without."""
    token_file: Path | None = None
    """The sha256 of the tokens, one a line in hexadecimal, of which each call must bring one; matinee token makes one.
    Calls need none without. The health needs none ever."""
    admin_token_file: Path | None = None
    """The same for the Admin service."""

    def trust(self) -> Trust:
        """Whom the service trusts. Raises UsageError where the flags don't fit together."""
        return Trust(self._tls(), self.token_file)

    def admin_trust(self) -> Trust:
        """Whom the Admin service trusts."""
        return Trust(self._tls(), self.admin_token_file)

    def _tls(self) -> TlsFiles | None:
        if self.tls_cert and self.tls_key:
            return TlsFiles(self.tls_cert, self.tls_key, self.tls_client_ca)
        if self.tls_cert or self.tls_key or self.tls_client_ca:
            raise UsageError("--tls-cert and --tls-key go together, and --tls-client-ca only with both")
        return None
