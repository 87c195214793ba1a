"""Which transport a server gets: the fast one where it can do what is asked for."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

from matinee.errors import UsageError
from server.errors import StartError
from server.limits import Limits
from server.rpc import Method
from server.transports.grpcio import GrpcioTransport
from server.transports.transport import Transport
from server.trust.config import OPEN, Trust

Wanted = Literal["auto", "grpcio", "native"]


def make_transport(
    wanted: Wanted, methods: Sequence[Method], limits: Limits, trust: Trust = OPEN, *, is_shared: bool = False
) -> Transport:
    """The transport for `methods`; other workers have its address too if `is_shared`.

    Raises StartError, UsageError where it can't be the one that is wanted.
    """
    if wanted == "grpcio" or (wanted == "auto" and _why_not_native(limits, trust)):
        return GrpcioTransport(methods, limits, trust, is_shared=is_shared)
    if reason := _why_not_native(limits, trust):
        raise reason
    # Imported only here: it may not be installed.
    from server.transports.native import NativeTransport

    return NativeTransport(methods, limits, trust, is_shared=is_shared)


def _why_not_native(limits: Limits, trust: Trust) -> Exception | None:
    if trust.tls:
        return UsageError("--transport native has no TLS; leave --tls-cert out, or take --transport grpcio")
    if limits.max_connection_age_s is not None:
        return UsageError("--transport native closes no connection for its age; leave --max-connection-age-s out")
    if find_spec("pygrpc_native") is None:
        return StartError("--transport native needs a package that is not installed; pip install 'matinee[fast]'")
    return None
