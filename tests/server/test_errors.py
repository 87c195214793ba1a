from collections.abc import Iterator

import grpc

from server.errors import OutOfRangeError, RequestError, ServerError, StartError, UnknownItemError, shown
from server.status import STATUS


def leaves(kind: type[ServerError]) -> Iterator[type[ServerError]]:
    if not kind.__subclasses__():
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


def test_every_error_that_a_caller_can_meet_has_a_status() -> None:
    assert set(STATUS) == set(leaves(RequestError))
    assert not set(STATUS.values()) & {grpc.StatusCode.OK, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def test_every_other_error_ends_the_start() -> None:
    assert set(leaves(ServerError)) == set(leaves(RequestError)) | set(leaves(StartError))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    import server.errors

    drawn = {word for word in (server.errors.__doc__ or "").split() if word.endswith("Error")}
    assert {kind.__name__ for kind in leaves(ServerError)} <= drawn


def test_a_long_id_is_shortened_and_its_length_told() -> None:
    text = str(UnknownItemError("item_id", "é" * 1000))
    assert len(text) < 200
    assert "(2000 bytes)" in text


def test_an_id_can_not_forge_a_line_of_the_log() -> None:
    assert "\n" not in str(UnknownItemError("item_id", "a\nINFO all is well\x1b[2J"))
    assert shown("a\x1b") == r"'a\x1b'"


def test_a_field_out_of_range_is_told_with_value_and_range() -> None:
    assert str(OutOfRangeError("k", "0", "1 to 1000")) == "k is 0; it must be 1 to 1000"
