"""A receiver of webhooks that answers as it is told, and keeps what it was sent."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """What it tells."""
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Receiver:
    """`answers` are used up one by one, (status, headers) each; then it is 204. `hold`: no answer while it is clear."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    busy: int = 0
    busiest: int = 0

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Its address, by whatever name."""
        return f"http://{host}:{self.port}{path}"


@contextmanager
def receiving(answer: Callable[[Receiver, BaseHTTPRequestHandler], None] | None = None) -> Iterator[Receiver]:
    """A receiver on a free port; `answer` writes answers of its own."""
    found, lock = Receiver(), threading.Lock()
    found.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                found.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                found.busy += 1
                found.busiest = max(found.busy, found.busiest)
                status, headers = found.answers.pop(0) if found.answers else (204, {})
            found.hold.wait(30)
            with lock:
                found.busy -= 1
            if answer is not None:
                answer(found, self)
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not to the test's output."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Whoever hangs up on us is part of the test."""

    with Server(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            found.hold.set()
            server.shutdown()
            thread.join()
