"""A span for each call, to a collector of OpenTelemetry over OTLP. Needs matinee[tracing]; off unless asked for.

The parent comes with the call as W3C traceparent, and its decision whether to sample holds; without one, or to decide
otherwise, there are the usual OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. A span is made when the work on its call
is over, and sent by a thread of OpenTelemetry's own.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from matinee.errors import UsageError
from server.errors import StartError
from server.request_ids import Caller, metadata

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# The codes that OpenTelemetry counts as failures of a server; the others are the caller's.
_FAILURES = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_LAST_S = 2.0
_PARENT = ("traceparent", "tracestate")

Trace = Callable[[str, grpc.StatusCode, float, Caller | None, str], None]


class Tracing:
    """Sends spans of the service `service` to the collector at `endpoint`, or where OTEL_* says if that is None.

    Raises StartError where the extra is missing, UsageError where `endpoint` is no URL.
    """

    def __init__(self, service: str, endpoint: str | None = None) -> None:
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise UsageError(f"--trace-endpoint is {endpoint!r}; it must be a URL, such as http://127.0.0.1:4317")
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise StartError(
                f"tracing is asked for and {error.name} is not installed; pip install 'matinee[tracing]'"
            ) from error
        self._provider = _provider()
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self.ended = tracer(self._provider, service)

    def close(self) -> None:
        """Send what is left, where the collector takes it soon."""
        # Where it is gone, OpenTelemetry would try for half a minute, and the server would not end.
        last = threading.Thread(target=self._provider.shutdown, name="matinee-last-spans", daemon=True)
        last.start()
        last.join(_LAST_S)


def is_wanted(endpoint: str | None) -> bool:
    """Whether `endpoint`, or an environment variable of OpenTelemetry, says where spans go to."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return endpoint is not None or any(os.environ.get(name) for name in _ENDPOINTS)


def tracer(provider: "TracerProvider", service: str) -> Trace:
    """What makes a span of a call that is over: method, code, seconds, caller, request id."""
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    spans, parents = provider.get_tracer("matinee"), TraceContextTextMapPropagator()

    def ended(method: str, code: grpc.StatusCode, seconds: float, caller: Caller | None, request_id: str) -> None:
        if caller is None:
            # Refused unread: under load these would be most of the spans, and say nothing that the metrics don't.
            return
        end_ns = time.time_ns()
        sent = {key: value for key in _PARENT if (value := metadata(caller, key)) is not None}
        name = f"{service}/{method}"
        span = spans.start_span(
            name,
            parents.extract(sent),
            SpanKind.SERVER,
            {
                "rpc.system.name": "grpc",
                "rpc.method": name,
                "rpc.response.status_code": code.name,
                "matinee.request_id": request_id,
            },
            start_time=end_ns - int(seconds * 1e9),
        )
        if code in _FAILURES:
            span.set_attribute("error.type", code.name)
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    return ended


def _provider() -> "TracerProvider":
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = SERVICE_NAME in OTELResourceDetector().detect().attributes
    resource = Resource.create({} if named else {SERVICE_NAME: "matinee"})
    return TracerProvider(resource=resource, shutdown_on_exit=False)
