"""Builds one process's tracer provider: its resource, its ids, and where its spans go.

Imported by `shared.recording.setup` only: a worker's parent, which sets up nothing, never loads the SDK.
"""

import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Tracer, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from shared.lightspan import LightTracer

QUEUE = 16_384
"""Spans waiting for export, at most; eight times the SDK's, because a mailing makes thousands in a burst."""
BATCH = 512
DELAY_MS = 500
"""A trace is looked at right after its job; the SDK's five seconds would show it half."""
ATTRIBUTE_CHARS = 8_192


class SystemIds(IdGenerator):
    """Ids from the kernel. The SDK's come from `random`: a handler that calls `random.seed(42)` would repeat every id."""

    def generate_span_id(self) -> int:
        """64 random bits, never 0 (which W3C Trace Context calls invalid)."""
        return int.from_bytes(os.urandom(8)) or 1

    def generate_trace_id(self) -> int:
        """128 random bits, never 0."""
        return int.from_bytes(os.urandom(16)) or 1

    def is_trace_id_random(self) -> bool:
        """True: W3C Trace Context level 2's random flag."""
        return True


class FollowParent(Sampler):
    """Records every root, and below it what the parent decided: the SDK's default, `parentbased_always_on`, at a third of its time."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """As the parent was sampled; with its tracestate."""
        del trace_id, name, kind, links, trace_state  # they do not matter here
        parent = get_current_span(parent_context).get_span_context()
        if not parent.is_valid:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        if parent.trace_flags.sampled:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state)
        return SamplingResult(Decision.DROP, None, parent.trace_state)

    def get_description(self) -> str:
        """The name that the specification gives this sampler."""
        return "ParentBased{root:AlwaysOnSampler}"


def build(service: str, home: Path | None) -> TracerProvider:
    """The provider of this process; starts one thread per exporter, so call it after the fork."""
    provider = TracerProvider(
        resource=_resource(service),
        sampler=None if "OTEL_TRACES_SAMPLER" in os.environ else FollowParent(),  # None: the SDK reads the variable itself
        id_generator=SystemIds(),
        span_limits=_limits(),
        shutdown_on_exit=False,  # telemetry.shutdown does it, with a limit of its own
    )
    # The file first: a collector that hangs must not hold up what can be written at once.
    if home is not None and os.environ.get("OTEL_TRACES_EXPORTER", "") != "none":
        from shared.spans import SpanFile  # noqa: PLC0415 - not needed where spans only go to a collector

        provider.add_span_processor(_batched(SpanFile(home / "traces", service)))
    if wants_otlp(os.environ):
        provider.add_span_processor(_batched(_otlp()))
    return provider


def tracer(provider: TracerProvider) -> LightTracer | Tracer:
    """What starts this process's spans; the SDK's own where the user chose a sampler or limits by the standard variables."""
    chosen = any(name in os.environ for name in ("OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"))
    return provider.get_tracer("counterfoil") if chosen else LightTracer(provider, SystemIds())


def wants_otlp(environ: Mapping[str, str]) -> bool:
    """True where the standard variables name a collector and do not switch traces off."""
    named = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return bool(named) and environ.get("OTEL_TRACES_EXPORTER", "") != "none"


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - loads requests and protobuf

    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if protocol != "http/protobuf":
        structlog.get_logger().warning(
            "otlp_protocol_ignored", protocol=protocol, used="http/protobuf", hint="collectors take it on port 4318"
        )
    return OTLPSpanExporter()


def _batched(exporter: SpanExporter) -> BatchSpanProcessor:
    def setting(name: str, default: int) -> int | None:
        return None if name in os.environ else default  # None: the SDK reads the variable itself

    return BatchSpanProcessor(
        exporter,
        max_queue_size=setting("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE),
        schedule_delay_millis=setting("OTEL_BSP_SCHEDULE_DELAY", DELAY_MS),
        max_export_batch_size=setting("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH),
    )


def _limits() -> SpanLimits:
    if "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" in os.environ:
        return SpanLimits()
    return SpanLimits(max_attribute_length=ATTRIBUTE_CHARS)


def _resource(service: str) -> Resource:
    own: dict[str, str | int] = {
        "service.name": f"counterfoil-{service}",
        "service.namespace": "counterfoil",
        "service.instance.id": str(uuid.uuid4()),
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
    }
    # The deployer's OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours.
    return Resource.create(own).merge(OTELResourceDetector().detect())
