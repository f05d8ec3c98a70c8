"""A real OTLP/HTTP trace receiver for tests: decodes the protobuf that exporters post, and waits for what a test expects."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it came over the wire; ids in hex, times in nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start: int
    end: int
    error: str | None
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    resource: Mapping[str, Any]

    @property
    def service(self) -> str:
        """The sender's `service.name`."""
        return str(self.resource["service.name"])


class OtlpReceiver:
    """Listens on a free loopback port; use it as a context manager. `endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self._spans: list[ReceivedSpan] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[ReceivedSpan]:
        """What has come in so far."""
        with self._changed:
            return list(self._spans)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace, oldest first."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.start)

    def wait_for(self, is_there: Callable[[list[ReceivedSpan]], bool], *, timeout_s: float = 15.0) -> list[ReceivedSpan]:
        """Wait until the spans satisfy `is_there`; fails the test with their names after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not is_there(self._spans):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not received within {timeout_s} s; there are {sorted(span.name for span in self._spans)}")
                self._changed.wait(left)
            return list(self._spans)

    def wait_for_names(self, *names: str, timeout_s: float = 15.0) -> list[ReceivedSpan]:
        """Wait until a span of each name is there."""
        return self.wait_for(lambda spans: set(names) <= {span.name for span in spans}, timeout_s=timeout_s)

    def _take(self, body: bytes) -> None:
        decoded = list(decode(body))
        with self._changed:
            self._spans.extend(decoded)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status = 200 if self.path == "/v1/traces" else 404
                if status == 200:
                    receiver._take(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep quiet; a failed test says what came in."""

        return Handler


def decode(body: bytes) -> Iterator[ReceivedSpan]:
    """The spans of one export request."""
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=KINDS[span.kind],
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    error=(span.status.message or "error") if span.status.code == span.status.STATUS_CODE_ERROR else None,
                    attributes=_attributes(span.attributes),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    resource=resource,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: Any) -> Any:
        which = pair.value.WhichOneof("value")
        plain = {"string_value", "bool_value", "int_value", "double_value"}
        return getattr(pair.value, which) if which in plain else str(pair.value)

    return {pair.key: value(pair) for pair in pairs}


def assert_one_tree(spans: list[ReceivedSpan], *, outer_parent: str = "") -> None:
    """Fail unless the spans form one connected tree: a single root (whose parent is `outer_parent`), every other parent present."""
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    names = [(span.name, span.service, span.parent_id) for span in roots]
    assert len(roots) == 1, f"expected one root, got {names}"
    assert roots[0].parent_id == outer_parent, f"the root continues {roots[0].parent_id!r}, not {outer_parent!r}"
    assert len({span.trace_id for span in spans}) == 1
