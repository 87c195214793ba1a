"""How much a server takes on: requests, streams, bytes, connections and their pings."""

from pydantic import BaseModel, ConfigDict, Field

_DAY_S = 86_400.0


class Limits(BaseModel):
    """Bounds of one server process; the fields are flags of `matinee serve` too."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    threads: int = Field(default=2, ge=1, le=1024)
    """How many requests are worked on at a time. With --transport native more than one only where they take longer than
    2 ms: shorter ones are done sooner one after the other."""
    max_concurrent: int = Field(default=256, ge=1)
    """How many requests may be worked on or wait; the next is answered RESOURCE_EXHAUSTED at once. It bounds what
    gathers in a short stall or a burst, all of which is answered; --max-wait-ms bounds what lasts."""
    max_wait_ms: float = Field(default=1.0, gt=0, le=3_600_000)
    """How long a request may wait under lasting overload, in milliseconds: once a third of all requests have been
    refused for a tenth of a second, who would have to wait longer is answered RESOURCE_EXHAUSTED at once. Take some ten
    times what one answer takes; more accepts no more of them, it makes all of them wait."""
    stream_threads: int = Field(default=2, ge=1, le=1024)
    """How many streams of answers (BatchRecommend) are worked on at a time, beside the requests."""
    max_streams: int = Field(default=16, ge=1)
    """How many streams of answers may be worked on or wait; the next is answered RESOURCE_EXHAUSTED at once."""
    max_request_bytes: int = Field(default=40 << 20, ge=1024, lt=1 << 31)
    """How large a request may be: by default a million user ids of the length of a UUID. With --transport native one
    that is larger is read to its end before it is refused."""
    request_timeout_s: float = Field(default=10.0, gt=0, le=3600)
    """How long a request may take to arrive once its call began, in seconds; the call is cancelled after it. With
    --transport native BatchRecommend alone: its other calls take no thread before their request is there."""
    reading_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """How long a client may leave an answer of a stream (BatchRecommend) unread, in seconds; the stream is cancelled
    after it."""
    max_calls_per_connection: int = Field(default=256, ge=1, lt=1 << 31)
    """How many calls one connection may have open; its next ones wait at the client."""
    max_connection_age_s: float | None = Field(default=None, gt=0, le=_DAY_S)
    """How old a connection may get, in seconds, before its client is asked to open another; by default an hour. Only
    with --transport grpcio: the native one closes no connection for its age."""
    connection_grace_s: float = Field(default=600.0, gt=0, le=_DAY_S)
    """How long the calls of a connection that is too old may take to end, in seconds."""
    keepalive_s: float = Field(default=60.0, gt=0, le=_DAY_S)
    """How long a connection may be silent before it is pinged, in seconds."""
    keepalive_timeout_s: float = Field(default=20.0, gt=0, le=_DAY_S)
    """How long a ping may go unanswered before the connection is closed, in seconds."""
    min_ping_interval_s: float = Field(default=10.0, gt=0, le=_DAY_S)
    """How often a client without a call may ping, in seconds; one that does so more often is disconnected. Only
    with --transport grpcio."""
