"""Hypothesis strategies for whole messages, made from the schema: a new field is tried as soon as it is there."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.fuzz.schema import COUNTS, ODD, WEIGHTS, texts_of

_MAX_ENTRIES = 12


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Messages with any of their fields, often such that the server knows what they name."""
    fields = {field.name: _values(field) for field in kind.DESCRIPTOR.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def _values(field: Any) -> st.SearchStrategy[Any]:
    value = _value(field)
    return st.lists(value, max_size=_MAX_ENTRIES) if field.is_repeated else value


def _value(field: Any) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return messages(GetMessageClass(field.message_type))
    if field.type == FieldDescriptor.TYPE_STRING:
        return st.sampled_from(texts_of(field)) | st.sampled_from(ODD) | st.text(max_size=40)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_INT32:
        return st.sampled_from(COUNTS) | st.integers(-(2**31), 2**31 - 1)
    assert field.type == FieldDescriptor.TYPE_FLOAT, f"{field.full_name}: no strategy for its type"
    return st.sampled_from(WEIGHTS) | st.floats(width=32)
