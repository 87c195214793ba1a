"""Spans: what they say, whose child they are, and where they go."""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind

from matinee.errors import UsageError
from server.errors import StartError
from server.observing.tracing import Tracing, is_wanted, tracer
from tests.server.test_logs import Call

SERVICE = "matinee.v1.Recommender"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans_of(*calls: tuple[str, grpc.StatusCode, float, Call, str], sampler: Any = None) -> list[ReadableSpan]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    ended = tracer(provider, SERVICE)
    for call in calls:
        ended(*call)
    provider.shutdown()
    return list(kept.get_finished_spans())


def traceparent(flags: str) -> Call:
    return Call(("traceparent", f"00-{TRACE}-{PARENT}-{flags}"))


def test_a_span_says_what_the_call_came_to_and_how_long_it_took() -> None:
    (span,) = spans_of(("Recommend", grpc.StatusCode.OK, 0.25, Call(), "abc"))
    assert (span.name, span.kind) == (f"{SERVICE}/Recommend", SpanKind.SERVER)
    assert span.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE}/Recommend",
        "rpc.response.status_code": "OK",
        "matinee.request_id": "abc",
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 250_000_000
    assert span.status.is_unset
    assert span.parent is None


def test_a_span_is_the_child_of_what_the_caller_says() -> None:
    (span,) = spans_of(("Recommend", grpc.StatusCode.OK, 0.1, traceparent("01"), "abc"))
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT


def test_a_caller_who_does_not_sample_has_no_span() -> None:
    assert spans_of(("Recommend", grpc.StatusCode.OK, 0.1, traceparent("00"), "abc")) == []
    call = ("Recommend", grpc.StatusCode.OK, 0.1, Call(), "abc")
    assert spans_of(call, sampler=ParentBased(ALWAYS_OFF)) == []


@pytest.mark.parametrize("value", ["", "00-zz-zz-01", f"00-{'0' * 32}-{PARENT}-01"])
def test_what_is_no_traceparent_is_no_parent(value: str) -> None:
    (span,) = spans_of(("Recommend", grpc.StatusCode.OK, 0.1, Call(("traceparent", value)), "abc"))
    assert span.parent is None


def test_only_the_servers_own_failures_are_errors() -> None:
    codes = [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL]
    theirs, ours = spans_of(*(("Recommend", code, 0.1, Call(), "abc") for code in codes))
    assert theirs.status.is_unset
    assert not ours.status.is_ok
    assert (ours.attributes or {})["error.type"] == "INTERNAL"


def test_spans_go_to_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    received: SimpleQueue[otlp.ExportTraceServiceRequest] = SimpleQueue()

    class Collector(otlp_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802  as the schema says
            received.put(request)
            return otlp.ExportTraceServiceResponse()

    collector = grpc.server(ThreadPoolExecutor(1))
    otlp_grpc.add_TraceServiceServicer_to_server(Collector(), collector)  # type: ignore[no-untyped-call]  # untyped
    port = collector.add_insecure_port("127.0.0.1:0")
    collector.start()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    tracing = Tracing(SERVICE, f"http://127.0.0.1:{port}")
    tracing.ended("Recommend", grpc.StatusCode.OK, 0.1, traceparent("01"), "abc")
    tracing.close()
    (spans,) = received.get(timeout=30).resource_spans
    collector.stop(None)
    resource = {attribute.key: attribute.value.string_value for attribute in spans.resource.attributes}
    assert resource["service.name"] == "matinee"
    assert resource["deployment.environment.name"] == "test"
    assert spans.scope_spans[0].spans[0].trace_id.hex() == TRACE


def test_a_collector_that_never_answers_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than any test may take.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3600")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracing = Tracing(SERVICE, f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracing.ended("Recommend", grpc.StatusCode.OK, 0.1, Call(), "abc")
        tracing.close()


def test_a_name_from_the_environment_goes_before_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from server.observing.tracing import _provider

    monkeypatch.setenv("OTEL_SERVICE_NAME", "films")
    assert _provider().resource.attributes["service.name"] == "films"


def test_it_is_off_unless_somebody_says_where_spans_go(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_wanted(None)
    assert is_wanted("http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    assert is_wanted(None)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not is_wanted(None)


def test_an_endpoint_that_is_no_url_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"--trace-endpoint is '127\.0\.0\.1:4317'; it must be a URL"):
        Tracing(SERVICE, "127.0.0.1:4317")


def test_a_missing_extra_fails_with_the_sentence_that_repairs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(StartError, match=r"pip install 'matinee\[tracing\]'"):
        Tracing(SERVICE, "http://127.0.0.1:4317")
