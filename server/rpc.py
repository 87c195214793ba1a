"""gRPC around the methods: bytes in, one call, message out; every failure becomes a status here.

Requests are decoded here and not by gRPC, which would answer INTERNAL to bytes that are no message.
"""

import logging
from collections.abc import Callable
from typing import NoReturn

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from matinee.v1 import recommender_pb2 as pb
from server.errors import RequestError, UndecodableError
from server.servicer import Recommender
from server.status import STATUS

SERVICE = pb.DESCRIPTOR.services_by_name["Recommender"]

_logger = logging.getLogger(__name__)

Handler = Callable[[bytes, grpc.ServicerContext], Message]


def add_recommender(recommender: Recommender, server: grpc.Server) -> None:
    """Let `server` answer every method of the schema with the method of `recommender` that has its name."""
    handlers: dict[str, grpc.RpcMethodHandler[bytes, Message]] = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _handler(method, getattr(recommender, method.name)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in SERVICE.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
    server.add_registered_method_handlers(SERVICE.full_name, handlers)


def _handler(method: MethodDescriptor, answer: Callable[..., Message]) -> Handler:
    request_class = GetMessageClass(method.input_type)

    def handle(request: bytes, context: grpc.ServicerContext) -> Message:
        try:
            return answer(_decoded(request_class, request))
        except RequestError as error:
            context.abort(STATUS[type(error)], str(error))
        except Exception:
            # Whatever the bug is, the caller learns nothing of the inside and the next call is answered.
            _logger.exception("%s failed", method.full_name)
            _fail(context)

    return handle


def _fail(context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.INTERNAL, "the server failed at this request; its log says how")


def _decoded(request_class: type[Message], request: bytes) -> Message:
    try:
        return request_class.FromString(request)
    except DecodeError as error:
        raise UndecodableError(request_class.DESCRIPTOR.full_name, len(request)) from error
