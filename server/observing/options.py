"""What of a server is to be seen: flags of `matinee serve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Seen(BaseModel):
    """How a server is observed; the fields are flags of `matinee serve` too."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    metrics_address: str | None = None
    """Where Prometheus and `matinee top` read the metrics: HOST:PORT, such as 127.0.0.1:9464, and for other machines
    0.0.0.0:9464; there is no access control. No metrics are kept where it is left out."""
    log_format: Literal["text", "json"] = "text"
    """How a line of the log looks: for people, or one JSON object."""
    log_requests: bool = False
    """Log a line for every call that is over."""
    trace_endpoint: str | None = None
    """Where to send a span for every call: the URL of an OpenTelemetry collector that takes OTLP over gRPC, such as
    http://127.0.0.1:4317 (the extra `tracing`). Left out, OTEL_EXPORTER_OTLP_ENDPOINT says it; without that, there are
    none."""
    shadow_rate: float = Field(default=0.0, ge=0, le=1)
    """Which share of the ranked answers to compare with exact search, for the metrics to tell the live recall."""


@dataclass(frozen=True)
class Observed:
    """How one server process is observed."""

    seen: Seen
    """What is asked for."""
    counts: Path | None
    """The file that it counts into; None where it counts nothing."""
