"""A span that costs a quarter of the SDK's: the gateway makes two a request, and they were a fifth of a submit's CPU time.

It is a `ReadableSpan`, so that the SDK's processors and exporters take it as it is. What it leaves out: a lock (a span of ours is
written by the thread or task that made it), cleaning of attribute values (ours are str, bool, int and float) and the SDK's limits
on their number. What may come from outside is cut to `LONGEST`.
"""

from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

LONGEST = 8_192
"""Characters of one attribute value, at most."""
MOST_EVENTS = 128
_SAMPLED = TraceFlags(TraceFlags.SAMPLED | 0x02)
"""Sampled, and with a random trace id (W3C Trace Context level 2)."""


def _cut(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    if not attributes:
        return {}
    return {name: value[:LONGEST] if type(value) is str and len(value) > LONGEST else value for name, value in attributes.items()}


class LightSpan(ReadableSpan, Span):
    """A recording span. Ended once; what comes after its end is ignored, as the API says."""

    def __init__(self, tracer: "LightTracer", name: str, context: SpanContext, parent: SpanContext | None, kind: SpanKind) -> None:
        super().__init__(name, context, parent, tracer.resource, {}, [], (), kind, start_time=time_ns(), instrumentation_scope=tracer.scope)
        self._on_end = tracer.processor.on_end

    def get_span_context(self) -> SpanContext:
        """Who it is."""
        return self._context  # type: ignore[return-value]  # never None here

    def is_recording(self) -> bool:
        """Until it is ended."""
        return self._end_time is None

    def set_attribute(self, key: str, value: Any) -> None:
        """Note one value."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Note some values."""
        if self._end_time is None:
            self._attributes.update(_cut(attributes))  # type: ignore[union-attr]  # a dict here

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        """Note a moment."""
        if self._end_time is None and len(self._events) < MOST_EVENTS:
            self._events.append(Event(name, _cut(attributes), timestamp or time_ns()))  # type: ignore[attr-defined]  # a list here

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Note a relative."""
        if self._end_time is None:
            self._links = (*self._links, Link(context, attributes))

    def update_name(self, name: str) -> None:
        """Call it otherwise."""
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; OK is final."""
        if self._end_time is None and self._status.status_code is not StatusCode.OK:
            self._status = status if isinstance(status, Status) else Status(status, description)

    def record_exception(
        self, exception: BaseException, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        """Note an exception; `shared.recording.record_error` says more."""
        del escaped
        self.add_event("exception", {"exception.type": type(exception).__qualname__, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Hand it to the processors."""
        if self._end_time is None:
            self._end_time = end_time or time_ns()
            self._on_end(self)


class LightTracer:
    """Starts `LightSpan`s for a provider: every root is recorded, and below it what the parent decided (parentbased_always_on)."""

    def __init__(self, provider: TracerProvider, ids: IdGenerator) -> None:
        self.processor = provider._active_span_processor  # noqa: SLF001 - the SDK has no public way to what its tracers write to
        self.resource = provider.resource
        self.scope = InstrumentationScope("counterfoil")
        self._ids = ids

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        """A new span below the current one, or below that of `context`."""
        parent = trace.get_current_span(context).get_span_context()
        if not parent.is_valid:
            made = SpanContext(self._ids.generate_trace_id(), self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED)
            span = LightSpan(self, name, made, None, kind)
        else:
            made = SpanContext(parent.trace_id, self._ids.generate_span_id(), False, parent.trace_flags, parent.trace_state)
            if not parent.trace_flags.sampled:
                return NonRecordingSpan(made)
            span = LightSpan(self, name, made, parent, kind)
        if attributes:
            span._attributes = _cut(attributes)  # noqa: SLF001 - its own class
        span._links = tuple(links)  # noqa: SLF001 - its own class
        return span
