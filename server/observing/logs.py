"""The server's log on standard error: a line an event, for people or, as JSON, for machines."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Literal

import grpc

Format = Literal["text", "json"]

_calls = logging.getLogger("server.calls")
# What a record always has; whatever else it has came with the event.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(form: Format) -> None:
    """Let every logger of this process write to standard error. For a command to call, not for a library."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


class TextLines(logging.Formatter):
    """Time, level, message, and the fields that came with it, as name=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s%(fields)s")

    def format(self, record: logging.LogRecord) -> str:
        """One event; a traceback follows on lines of its own."""
        record.fields = "".join(f" {name}={value}" for name, value in fields(record).items())
        return super().format(record)


class JsonLines(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, process, message, the fields that came with it."""

    def format(self, record: logging.LogRecord) -> str:
        """One event; a traceback is its field `exception`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What came with an event beside its message."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD and name != "fields"}


def log_call(method: str, code: grpc.StatusCode, seconds: float, caller: object | None, request_id: str) -> None:  # noqa: ARG001  told of all alike
    """A line for a call that is over. Of its request and its metadata it tells nothing but the id."""
    _calls.info(
        "call ended",
        extra={"method": method, "code": code.name, "ms": round(1e3 * seconds, 3), "request_id": request_id},
    )
