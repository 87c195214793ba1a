"""The listener of the Admin service: grpcio, with threads, a token and bounds of its own."""

from functools import partial

from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from indexer.places import AnyStore
from matinee.errors import UsageError
from matinee.v1 import admin_pb2 as pb
from server.address import parse_address, prove_free
from server.admin.servicer import Admin, Fleet
from server.limits import Limits
from server.rpc import methods_of
from server.standard import Reflection
from server.transports.grpcio import GrpcioTransport
from server.trust.config import Trust

SERVICE = pb.DESCRIPTOR.services_by_name["Admin"]

_FLAG = "--admin-address"
_LIMITS = Limits(threads=4, max_concurrent=32, max_wait_ms=60_000, stream_threads=1, max_request_bytes=1 << 16)


class AdminListener:
    """Bound, and from `start` to `stop` it answers what `fleet` serves from `store`."""

    def __init__(self, address: str, trust: Trust, fleet: Fleet, store: AnyStore) -> None:
        wanted = parse_address(address, _FLAG)
        # A client's certificate lets it ask, and not change what is served.
        if not wanted.is_local and trust.token_file is None:
            raise UsageError(
                f"{_FLAG} {address} can be reached from other machines, and whoever can reach it may change"
                " what is served; give --admin-token-file too"
            )
        prove_free(wanted, _FLAG)
        self._transport = GrpcioTransport(methods_of(SERVICE, Admin(fleet, store)), _LIMITS, trust)
        self._reflection = Reflection((SERVICE.full_name, reflection.SERVICE_NAME))
        self._transport.add(partial(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, self._reflection))
        self.address = self._transport.bind(wanted)

    def start(self) -> None:
        """Listen."""
        self._transport.start()

    def stop(self, grace_s: float) -> None:
        """Take no more calls, let those that run end within `grace_s` seconds."""
        stopped = self._transport.stop(grace_s)
        self._reflection.end_streams()
        stopped.wait()
        self._reflection.close()
        self._transport.close()
