"""The client over real sockets, where connections really break in the middle."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client import Counterfoil
from client.models import Job

BODY = bytes(range(256)) * 4_000
EVENTS = [(1, "job.accepted", {}), (2, "job.started", {"attempt": 1}), (3, "job.progressed", {"fraction": 0.5}), (4, "job.succeeded", {})]
JOB: dict[str, Any] = {
    "id": "avatar_01JD0000000000000000000000",
    "service": "avatar",
    "kind": "avatar.generate.v1",
    "state": "queued",
    "created_at": "2026-11-22T09:00:00Z",
    "artifacts": [{"name": "a.bin", "bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}],
}


class Breaking(http.server.BaseHTTPRequestHandler):
    """Cuts the first two streams and downloads in the middle of a frame or block."""

    asked: list[tuple[str, str | None]]
    log_message = lambda *_: None  # noqa: E731 - silence, in the form that the base class wants

    def do_GET(self) -> None:
        """Answer by the path."""
        kind = self.path.rpartition("/")[2]
        mark = self.headers.get("Last-Event-ID") or self.headers.get("Range")
        self.asked.append((kind, mark))
        cut = sum(name == kind for name, _ in self.asked) <= 2
        if kind == "events":
            self._stream(int(mark or 0), cut=cut)
        elif kind == "a.bin":
            self._bytes(int((mark or "bytes=0-")[6:-1]), cut=cut)
        else:
            self._send(200, json.dumps({**JOB, "state": "succeeded", "done": True}).encode(), "application/json")

    def _stream(self, after: int, *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, kind, data in EVENTS[after : after + 1 if cut else None]:
            self._chunk(f"id: {number}\ndata: {json.dumps({'type': kind, 'data': data})}\n\n")
        self._chunk("id: 99\ndata: {" if cut else ": the end\n")
        if not cut:
            self._chunk("")
        self.close_connection = True

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())

    def _bytes(self, start: int, *, cut: bool) -> None:
        rest = BODY[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if cut else rest)
        self.close_connection = True

    def _send(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def handler() -> type[Breaking]:
    """A handler class with a memory of its own."""
    return type("Handler", (Breaking,), {"asked": []})


@pytest.fixture
def client(handler: type[Breaking]) -> Iterator[Counterfoil]:
    """A client of a server with that handler."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Counterfoil(f"http://127.0.0.1:{server.server_port}", "key", sleep=lambda _: None) as made:
            yield made
        server.shutdown()
        thread.join()


def test_a_stream_that_is_cut_twice_loses_and_repeats_nothing(client: Counterfoil, handler: type[Breaking]) -> None:
    """Each connection begins after the last whole event; a frame that was cut off is not taken for one."""
    seen: list[str] = []
    done = client.wait(Job.model_validate(JOB), on_progress=lambda job: seen.append(f"{job.state} {job.progress.fraction}"))

    assert done.state == "succeeded"
    assert seen == ["running 0.0", "running 0.5", "succeeded 0.0"]
    assert [mark for kind, mark in handler.asked if kind == "events"] == [None, "1", "2"]


def test_a_download_that_is_cut_twice_is_whole(client: Counterfoil, handler: type[Breaking], tmp_path: Path) -> None:
    """Each request asks for what is still missing, and the sum is right."""
    path = client.download(Job.model_validate(JOB), "a.bin", tmp_path)

    assert path.read_bytes() == BODY
    assert [mark for _, mark in handler.asked] == [None, "bytes=512000-", "bytes=768000-"]
