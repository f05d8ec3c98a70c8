"""Records spans in this process: start, flush and stop the recorder, and the span that is current for a `with` body.

Until `setup` was called in this process (and again after a fork) nothing is recorded; a caller's context still passes through.
"""

import asyncio
import atexit
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer

from shared import trail
from shared.errors import JobCanceled

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from shared.lightspan import LightTracer

Attributes = Mapping[str, str | bool | int | float]

_MAX_STACK = 8_000
_no_tracer = NoOpTracer()


class _Process:
    """What this process has: a provider and its tracer, once `setup` was called after the last fork."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what was inherited through a fork: its export threads exist in the parent only."""
        self.pid = 0
        self.provider: TracerProvider | None = None
        self.tracer: LightTracer | Tracer = _no_tracer


_process = _Process()
os.register_at_fork(after_in_child=_process.forget)


def setup(service: str, home: Path | None) -> None:
    """Start recording in this process, as `counterfoil-<service>`; call it after the fork (a second call does nothing).

    Spans go to `<home>/traces` and, where OTEL_EXPORTER_OTLP_ENDPOINT or its traces form is set, to that collector.
    """
    if _process.pid == os.getpid():
        return
    from shared.provider import build, tracer  # noqa: PLC0415 - the worker's parent never needs the SDK

    _process.provider = build(service, home)
    _process.tracer = tracer(_process.provider)
    _process.pid = os.getpid()
    atexit.register(shutdown)


def flush(timeout_s: float = 5.0) -> bool:
    """Export what has ended; False where that took longer than `timeout_s` (the SDK's own limit has no effect, issue 4568)."""
    provider = _process.provider
    return provider is None or _within(timeout_s, provider.force_flush)


def shutdown(timeout_s: float = 5.0) -> None:
    """Export what is left and stop recording; after it `setup` starts anew."""
    provider = _process.provider
    _process.forget()
    if provider is not None:
        atexit.unregister(shutdown)
        _within(timeout_s, provider.shutdown)


def _within(timeout_s: float, work: Callable[[], object]) -> bool:
    thread = threading.Thread(target=work, name="telemetry-flush", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return not thread.is_alive()


class Active(AbstractContextManager[Span]):
    """A span that is current for a `with` body, and ended and no longer current after it, whatever the body does.

    A class, not a generator: it costs a third of `start_as_current_span`'s own overhead, and the gateway makes two a request.
    """

    __slots__ = ("_attributes", "_before", "_context", "_kind", "_links", "_name", "_span", "_token")

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        context: Context | None = None,
        links: tuple[Link, ...] = (),
    ) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._context = context
        self._links = links

    def __enter__(self) -> Span:
        self._span = _process.tracer.start_span(self._name, self._context, self._kind, self._attributes, self._links)
        self._token = otel_context.attach(trace.set_span_in_context(self._span, self._context))
        self._before = trail.note(self._name)
        return self._span

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None) -> None:
        otel_context.detach(self._token)
        trail.note(self._before)
        try:
            if exc is not None:
                record_error(self._span, exc)
        finally:
            self._span.end()


def step(name: str, **attributes: str | bool | float) -> AbstractContextManager[Span]:
    """The span of one step of domain work, a child of the current span."""
    return Active(name, SpanKind.INTERNAL, attributes)


def event(name: str, **attributes: str | bool | float) -> None:
    """A moment on the current span."""
    trace.get_current_span().add_event(name, attributes)


def record_error(span: Span, exc: BaseException) -> None:
    """Mark the span as failed, with the exception's type and stack; a cancel is an outcome and only noted as `canceled`."""
    if not span.is_recording():
        return
    if isinstance(exc, JobCanceled | asyncio.CancelledError | GeneratorExit):
        span.add_event("canceled")
        return
    name = type(exc).__qualname__ if type(exc).__module__ == "builtins" else f"{type(exc).__module__}.{type(exc).__qualname__}"
    stack = "".join(traceback.format_exception(exc))[-_MAX_STACK:]
    span.add_event("exception", {"exception.type": name, "exception.message": str(exc), "exception.stacktrace": stack})
    span.set_attribute("error.type", name)
    span.set_status(Status(StatusCode.ERROR, f"{name}: {exc}"))


def current_ids() -> tuple[str, str] | None:
    """The current span's trace id (32 hex digits) and span id (16), or None."""
    here = trace.get_current_span().get_span_context()
    return (f"{here.trace_id:032x}", f"{here.span_id:016x}") if here.is_valid else None


def current_trace_id() -> str | None:
    """The current trace's id, 32 hex digits, or None."""
    ids = current_ids()
    return ids[0] if ids else None
