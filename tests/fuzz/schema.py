"""Every method of the schema, and what a world has that their requests may name."""

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from matinee.v1 import recommender_pb2 as pb

METHODS: dict[str, MethodDescriptor] = {
    method.name: method for method in pb.DESCRIPTOR.services_by_name["Recommender"].methods
}

USERS = ["1", "2", "30"]
ITEMS = ["i0", "i1", "i49"]
TAGS = ["even", "odd"]
# Not there, too long, or what text handling stumbles over.
ODD = ["", "-0", "01", "9" * 30, "i50", "\0", "é" * 600, "\U0010ffff", "\u202e", "even ", "x" * 1024, "x" * 1025]

WEIGHTS = [0.0, 1.0, -1.0, 2.0, 0.5, 2.5, float("nan"), float("inf"), -float("inf"), 3.4e38, 1e-45]
COUNTS = [1, 10, 60, 1000, 1001, 0, -1, 2**31 - 1, -(2**31)]


def request_class(method: str) -> type[Message]:
    """The class of the method's requests."""
    return GetMessageClass(METHODS[method].input_type)


def texts_of(field: FieldDescriptor) -> list[str]:
    """What a text field may be asked with so that the server knows it."""
    if "tag" in field.name:
        return TAGS
    return USERS if "user" in field.name else ITEMS
