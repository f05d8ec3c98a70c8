"""Both ends of the trace hop: server span → `send avatar` → `process avatar` → domain spans, in this one file.

OpenTelemetry's messaging conventions are not stable yet, so their names stand here and nowhere else. Its Celery
instrumentor is not used: its send span closes before the publish, and a failed publish leaves the span current.
Inject and extract sit side by side, after Temporal's interceptors and taskbroker's `ContextHook`.

Recording itself (setup, flush, the span that is current) is `shared.recording`; its names are offered here too.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.recording import Active, current_ids, current_trace_id, event, flush, record_error, setup, shutdown, step

__all__ = [
    "Headers",
    "carrier",
    "current_ids",
    "current_trace_id",
    "delivery_span",
    "event",
    "flush",
    "process_span",
    "publish_span",
    "record_error",
    "responded",
    "server_span",
    "setup",
    "shutdown",
    "step",
    "trace_id_of",
]

Headers = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
"""HTTP headers: a mapping, or ASGI's raw list of lower-case byte pairs."""

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""W3C Trace Context 1, 3.2.2: a later version may go on after another dash, version 00 may not."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
_NAMES = frozenset({"traceparent", "tracestate", "baggage"})
_RAW_NAMES = {name.encode(): name for name in _NAMES}
_MAX_BAGGAGE = 2_048
"""Characters of baggage that are taken along; it comes from outside and is kept in the ledger with every job."""
_MAX_TRACEPARENT = 512
_SERVER_ERROR = 500

_w3c = TraceContextTextMapPropagator()
_baggage = W3CBaggagePropagator()


def server_span(method: str, route: str, headers: Headers) -> AbstractContextManager[Span]:
    """The span of one HTTP request, named `POST /v1/avatars`; it continues the caller's trace. A malformed traceparent is ignored.

    Where the route is not known yet, give "" and let `responded` fill it in.
    """
    known = method if method in _METHODS else "_OTHER"
    attributes = {"http.request.method": known}
    if route:
        attributes["http.route"] = route
    context = _extract(_wanted(headers))
    return Active(_server_name(known, route), SpanKind.SERVER, attributes, context=context)


def responded(span: Span, status: int, route: str = "") -> None:
    """Say how the request ended: `status` is the HTTP status code, `route` the template that matched, if it is known only now."""
    if not span.is_recording():
        return
    span.set_attribute("http.response.status_code", status)
    if route:
        span.set_attribute("http.route", route)
        method = getattr(span, "attributes", {}).get("http.request.method", "_OTHER")
        span.update_name(_server_name(method, route))
    if status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def publish_span(service: str, kind: str, job_id: str, *, queue: str = "") -> AbstractContextManager[Span]:
    """The span around a publish, `send avatar`; take `carrier()` inside it, so that the worker's span becomes its child."""
    return Active(f"send {service}", SpanKind.PRODUCER, _messaging("send", service, kind, job_id, queue))


def process_span(
    service: str, kind: str, job_id: str, *, attempt: int, epoch: int, carrier: Mapping[str, str], queue: str = "", linked: bool = False
) -> AbstractContextManager[Span]:
    """The span of one attempt, `process avatar`.

    The first attempt of the first epoch is a child of the publish in `carrier`. A retry or redrive may come days later: it
    starts a trace of its own that links to the origin, and has `counterfoil.origin_trace_id` to be found by. `linked` asks
    for the same on a first attempt (a child job that outlives its parent).
    """
    attributes = _messaging("process", service, kind, job_id, queue)
    attributes["counterfoil.attempt"] = attempt
    attributes["counterfoil.epoch"] = epoch
    name = f"process {service}"
    context = _extract(carrier)
    if attempt == 1 and epoch == 1 and not linked:
        return Active(name, SpanKind.CONSUMER, attributes, context=context)
    origin = trace.get_current_span(context).get_span_context()
    if not origin.is_valid:
        return Active(name, SpanKind.CONSUMER, attributes, context=Context())
    attributes["counterfoil.origin_trace_id"] = trace.format_trace_id(origin.trace_id)
    reason = "redrive" if epoch > 1 else "retry" if attempt > 1 else "child"
    root = trace.set_span_in_context(trace.INVALID_SPAN, context)  # keeps the baggage
    return Active(name, SpanKind.CONSUMER, attributes, context=root, links=(Link(origin, {"counterfoil.link": reason}),))


def delivery_span(delivery: str, event_type: str, host: str, *, attempt: int, carrier: Mapping[str, str]) -> AbstractContextManager[Span]:
    """The span of one attempt to call a webhook, `send webhook`: a child of the request that made the job, days later too."""
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "server.address": host,
        "counterfoil.delivery": delivery,
        "counterfoil.event": event_type,
        "counterfoil.attempt": attempt,
    }
    return Active("send webhook", SpanKind.CLIENT, attributes, context=_extract(carrier))


def carrier() -> dict[str, str]:
    """The current context as `traceparent`, `tracestate` and `baggage`, for an envelope or an HTTP header; {} where there is none."""
    into: dict[str, str] = {}
    _w3c.inject(into)
    _baggage.inject(into)
    if len(into.get("baggage", "")) > _MAX_BAGGAGE:
        del into["baggage"]
    return into


def trace_id_of(carrier: Mapping[str, str]) -> str | None:
    """The trace id (32 hex digits) in a carrier's `traceparent`, or None where that is missing or malformed."""
    match = _parsed(carrier)
    return match[2] if match else None


def _server_name(method: str, route: str) -> str:
    return f"{'HTTP' if method == '_OTHER' else method} {route}".rstrip()


def _messaging(operation: str, service: str, kind: str, job_id: str, queue: str) -> dict[str, str | bool | int | float]:
    return {
        "messaging.system": "counterfoil",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue or service,
        "messaging.message.id": job_id,
        "counterfoil.service": service,
        "counterfoil.kind": kind,
    }


def _wanted(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(headers, Mapping):
        return {name: headers[given] for given in headers if (name := given.lower()) in _NAMES}
    for raw, value in headers:
        name = _RAW_NAMES.get(raw)
        if name is not None:
            # A repeated header is one list (RFC 9110, 5.3); for traceparent that makes it malformed, as W3C asks.
            found[name] = f"{found[name]},{value.decode('latin-1')}" if name in found else value.decode("latin-1")
    return found


def _parsed(found: Mapping[str, str]) -> re.Match[str] | None:
    match = _TRACEPARENT.fullmatch(found.get("traceparent", ""), endpos=_MAX_TRACEPARENT)
    return None if match is None or (match[5] and match[1] == "00") else match


def _extract(found: Mapping[str, str]) -> Context:
    """The remote context in a carrier, empty where there is none. The plain case is read here: the SDK's takes four times as long."""
    context = Context()
    match = _parsed(found)
    if match:
        state = found.get("tracestate")
        if state:
            context = _w3c.extract(found, context)
        else:
            remote = SpanContext(int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=TraceFlags(int(match[4], 16)))
            context = trace.set_span_in_context(NonRecordingSpan(remote), context)
    if 0 < len(found.get("baggage", "")) <= _MAX_BAGGAGE:
        context = _baggage.extract(found, context)
    return context
