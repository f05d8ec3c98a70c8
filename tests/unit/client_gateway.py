"""A scripted gateway for the client's tests: answers in order, and remembers what was asked."""

from collections.abc import Callable
from typing import Any

import httpx

from client import Counterfoil

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

JOB: dict[str, Any] = {
    "id": "avatar_01JD0000000000000000000000",
    "service": "avatar",
    "kind": "avatar.generate.v1",
    "state": "queued",
    "done": False,
    "progress": {"fraction": 0.0, "step": None, "detail": None, "eta_seconds": None},
    "attempt": 0,
    "epoch": 1,
    "created_at": "2026-11-22T09:00:00Z",
    "request": {"seed": "ada"},
    "artifacts": [],
    "labels": {},
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "links": {},
}
DONE: dict[str, Any] = {**JOB, "state": "succeeded", "done": True, "finished_at": "2026-11-22T09:00:03Z", "result": {"variants": []}}


def problem(status: int, slug: str, detail: str, **headers: str) -> httpx.Response:
    """An RFC 9457 answer."""
    body = {"type": f"https://counterfoil.dev/problems/{slug}", "title": slug, "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json", **headers})


def stream(*events: tuple[int, str, dict[str, Any]]) -> httpx.Response:
    """An event stream with a ping, then the events, then its end."""
    frames = "".join(
        f"id: {number}\nevent: {kind}\ndata: {httpx.Response(200, json={'type': kind, 'data': data}).text}\n\n"
        for number, kind, data in events
    )
    return httpx.Response(200, text=": ping\n\n" + frames, headers={"content-type": "text/event-stream"})


class Gateway:
    """Gives `answers` one after the other; `asked` are the requests, `paused` the client's pauses in seconds."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.paused: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self, **settings: Any) -> Counterfoil:
        """A client that talks to this gateway and never really sleeps."""
        return Counterfoil("http://gateway", "cf_key", transport=httpx.MockTransport(self), sleep=self.paused.append, **settings)

    def calls(self) -> list[str]:
        """What was asked, as `METHOD path`."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.asked]
