"""The trace hop: what continues, what links, and what a failing body leaves behind."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared import recording, telemetry
from shared.errors import JobCanceled, PermanentError
from shared.provider import FollowParent, SystemIds, build

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Ended spans, recorded in memory by a provider put together as in production."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(sampler=FollowParent(), id_generator=SystemIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(recording._process, "tracer", provider.get_tracer("test"))
    yield memory
    provider.shutdown()


def ended(memory: InMemorySpanExporter, name: str) -> ReadableSpan:
    """The one ended span of this name."""
    (span,) = [span for span in memory.get_finished_spans() if span.name == name]
    return span


def test_a_request_a_publish_and_a_first_attempt_are_one_line_of_descent(spans: InMemorySpanExporter) -> None:
    """Caller → POST → send → process → step, each the parent of the next, in the caller's trace."""
    with (
        telemetry.server_span("POST", "/v1/avatars", [(b"traceparent", PARENT.encode())]) as server,
        telemetry.publish_span("avatar", "avatar.generate.v1", "avatar_1"),
    ):
        carrier = telemetry.carrier()
        telemetry.responded(server, 202)
    with (
        telemetry.process_span("avatar", "avatar.generate.v1", "avatar_1", attempt=1, epoch=1, carrier=carrier),
        telemetry.step("render", style="bot"),
    ):
        pass
    chain = [ended(spans, name) for name in ("POST /v1/avatars", "send avatar", "process avatar", "render")]

    assert [int(CALLER, 16), *(span.context.span_id for span in chain[:-1])] == [span.parent.span_id for span in chain if span.parent]
    assert {f"{span.context.trace_id:032x}" for span in chain} == {TRACE}
    assert [span.kind for span in chain] == [SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL]


@pytest.mark.parametrize(
    ("attempt", "epoch", "linked", "reason"), [(2, 1, False, "retry"), (1, 2, False, "redrive"), (1, 1, True, "child")]
)
def test_a_later_attempt_links_to_its_origin(spans: InMemorySpanExporter, attempt: int, epoch: int, linked: bool, reason: str) -> None:
    """Retries, redrives and children that outlive their parent get a root of their own, with a link and the origin's id."""
    with telemetry.process_span("avatar", "k", "avatar_1", attempt=attempt, epoch=epoch, carrier={"traceparent": PARENT}, linked=linked):
        pass
    span = ended(spans, "process avatar")

    assert span.parent is None
    assert [(int(TRACE, 16), int(CALLER, 16), {"counterfoil.link": reason})] == [
        (link.context.trace_id, link.context.span_id, dict(link.attributes or {})) for link in span.links
    ]
    assert (span.attributes or {})["counterfoil.origin_trace_id"] == TRACE
    assert int(TRACE, 16) != span.context.trace_id


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "junk",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01-more",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"{PARENT},{PARENT}",
        "0" * 100_000,
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(spans: InMemorySpanExporter, bad: str) -> None:
    """W3C Trace Context: what cannot be parsed is ignored, not an error."""
    with telemetry.server_span("GET", "/livez", {"Traceparent": bad}):
        pass

    assert ended(spans, "GET /livez").parent is None
    assert telemetry.trace_id_of({"traceparent": bad}) is None


def test_a_later_version_of_traceparent_is_read() -> None:
    """A version above 00 may carry more after another dash."""
    assert telemetry.trace_id_of({"traceparent": f"01-{TRACE}-{CALLER}-01-more"}) == TRACE


def test_tracestate_and_baggage_travel_with_the_job(spans: InMemorySpanExporter) -> None:
    """What the caller's tracer and baggage say is in the envelope, so the worker's own calls can pass it on."""
    headers = [(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2"), (b"baggage", b"tier=gold")]
    with telemetry.server_span("POST", "/v1/avatars", headers), telemetry.publish_span("avatar", "k", "avatar_1"):
        envelope = telemetry.carrier()
    with telemetry.process_span("avatar", "k", "avatar_1", attempt=2, epoch=1, carrier=envelope):
        retried = telemetry.carrier()

    assert (envelope["tracestate"], envelope["baggage"]) == ("a=1,b=2", "tier=gold")
    assert retried["baggage"] == "tier=gold"
    assert len(spans.get_finished_spans()) == 3


def test_oversized_baggage_is_left_behind(spans: InMemorySpanExporter) -> None:
    """Baggage comes from outside and is kept with every job, so 8 kB of it are not."""
    with telemetry.server_span("POST", "/v1/avatars", {"traceparent": PARENT, "baggage": "a=" + "x" * 4_000}):
        taken = telemetry.carrier()

    assert "baggage" not in taken
    assert len(spans.get_finished_spans()) == 1


def test_an_unsampled_caller_is_not_recorded_but_passed_on(spans: InMemorySpanExporter) -> None:
    """The caller's decision holds for the whole trace, and its ids still reach the worker."""
    with telemetry.server_span("POST", "/v1/avatars", {"traceparent": PARENT[:-1] + "0"}) as span:
        telemetry.responded(span, 202)
        taken = telemetry.carrier()

    assert not spans.get_finished_spans()
    assert telemetry.trace_id_of(taken) == TRACE
    assert taken["traceparent"].endswith("-00")


def test_a_failed_body_is_an_error_and_leaves_no_span_current(spans: InMemorySpanExporter) -> None:
    """The instrumentor's fault that we do not repeat: a failed publish must not be the parent of what follows."""
    with pytest.raises(PermanentError), telemetry.publish_span("avatar", "k", "avatar_1"):
        raise PermanentError("no such style")
    span = ended(spans, "send avatar")

    assert trace.get_current_span() is trace.INVALID_SPAN
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "shared.errors.PermanentError: no such style")
    assert (span.attributes or {})["error.type"] == "shared.errors.PermanentError"
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize("outcome", [JobCanceled, asyncio.CancelledError])
def test_a_cancel_is_no_error(spans: InMemorySpanExporter, outcome: type[BaseException]) -> None:
    """A user who cancels must not raise the error rate."""
    with pytest.raises(outcome), telemetry.step("render"):
        raise outcome
    span = ended(spans, "render")

    assert span.status.status_code is StatusCode.UNSET
    assert [event.name for event in span.events] == ["canceled"]


def test_a_seeded_handler_does_not_repeat_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """`random.seed` in domain code is normal (reproducible avatars); span ids must not come from it."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    tracer = build("avatar", None).get_tracer("test")
    contexts = []
    for _ in range(2):
        random.seed(42)
        contexts.append(tracer.start_span("render").get_span_context())
    first, second = contexts

    assert first.trace_id != second.trace_id
    assert first.span_id != second.span_id


@pytest.mark.parametrize(("status", "error"), [(202, StatusCode.UNSET), (404, StatusCode.UNSET), (503, StatusCode.ERROR)])
def test_a_route_learnt_late_names_the_span(spans: InMemorySpanExporter, status: int, error: StatusCode) -> None:
    """The route is known after routing only; 5xx are errors of the server, 4xx are not."""
    with telemetry.server_span("POST", "", {}) as span:
        telemetry.responded(span, status, "/v1/avatars")

    assert ended(spans, "POST /v1/avatars").status.status_code is error


def test_an_unknown_method_cannot_make_span_names(spans: InMemorySpanExporter) -> None:
    """Names are of low cardinality: a scanner's made-up method becomes HTTP, as the conventions say."""
    with telemetry.server_span("PWN", "/v1/avatars", {}):
        pass

    assert (ended(spans, "HTTP /v1/avatars").attributes or {})["http.request.method"] == "_OTHER"


def test_without_setup_the_callers_context_passes_through() -> None:
    """A process that records nothing is no hole in somebody else's trace."""
    with telemetry.process_span("avatar", "k", "avatar_1", attempt=1, epoch=1, carrier={"traceparent": PARENT}):
        here = telemetry.current_trace_id()

    assert here == TRACE
    assert telemetry.current_trace_id() is None
