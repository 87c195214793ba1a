"""What a line of the log looks like, and which ids name a call."""

import json
import logging

import grpc
import pytest

from server import request_ids
from server.observing.logs import JsonLines, TextLines, log_call


class Call:
    """A caller that sent this metadata."""

    def __init__(self, *metadata: tuple[str, str | bytes]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        # grpcio says None where there is none.
        return self._metadata or None


def record(message: str, *arguments: object, **fields: object) -> logging.LogRecord:
    return logging.getLogger("server.test").makeRecord(
        "server.test", logging.ERROR, "file", 1, message, arguments, None, extra=fields
    )


def test_a_json_line_has_time_level_logger_message_and_the_fields_of_the_event() -> None:
    line = json.loads(JsonLines().format(record("serving %s", "v1", request_id="abc", ms=1.5, path="é\n")))
    assert line.pop("time").endswith("+00:00")
    assert line.pop("process") > 0
    assert line.pop("logger") == "server.test"
    assert line == {"level": "ERROR", "message": "serving v1", "request_id": "abc", "ms": 1.5, "path": "é\n"}


def test_a_traceback_is_one_field_of_a_json_line() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        failed = record("it failed")
        failed.exc_info = (RuntimeError, error, error.__traceback__)
    text = JsonLines().format(failed)
    assert "\n" not in text
    assert "RuntimeError: broken" in json.loads(text)["exception"]


def test_a_text_line_ends_with_the_fields() -> None:
    assert TextLines().format(record("it failed", request_id="abc")).endswith(" ERROR it failed request_id=abc")
    assert TextLines().format(record("it failed")).endswith(" ERROR it failed")


def test_a_call_is_one_event(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_call("Recommend", grpc.StatusCode.NOT_FOUND, 0.0012345, Call(), "abc")
    (event,) = caplog.records
    line = TextLines().format(event)
    assert line.endswith(" INFO call ended method=Recommend code=NOT_FOUND ms=1.234 request_id=abc")


@pytest.mark.parametrize("value", ["a", "7f3c-1", "Root=1-67891233-abcdef012345678912345678", "a" * 128])
def test_a_sane_id_is_taken_over(value: str) -> None:
    assert request_ids.sent(Call(("user-agent", "x"), ("x-request-id", value))) == value


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "é", "-a", "a" * 129, '"', b"abc"])
def test_any_other_id_is_not(value: str | bytes) -> None:
    assert request_ids.sent(Call(("x-request-id", value))) is None


def test_nobody_sent_nothing() -> None:
    assert request_ids.sent(None) is None
    assert request_ids.sent(Call()) is None


def test_new_ids_are_sane_and_differ() -> None:
    ids = {request_ids.new() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(request_ids.sent(Call(("x-request-id", id_))) == id_ for id_ in ids)
