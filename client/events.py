"""A job's events: one connection, many connections with resume, and what an event changes in the job one holds."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from client.errors import ClientError, LimitedError, UnavailableError, UnreachableError, WaitTimeoutError
from client.models import Event, Job, Progress
from client.sse import frames
from client.transport import Transport, backoff
from shared.contracts.events import TERMINAL_EVENTS, EventType
from shared.contracts.states import TERMINAL, State

SILENCE = 40.0
"""Seconds without a byte after which a stream is taken for dead: the gateway pings every 15 s at the latest."""
FRUITLESS = 3
"""Connections in a row that brought no event, after which streaming is given up: some proxies buffer it for ever."""

_STATES = {
    EventType.ACCEPTED: State.QUEUED,
    EventType.STARTED: State.RUNNING,
    EventType.PROGRESSED: State.RUNNING,
    EventType.RETRYING: State.RETRYING,
    EventType.RESCUED: State.QUEUED,
    EventType.CANCELING: State.CANCELING,
    EventType.SUCCEEDED: State.SUCCEEDED,
    EventType.FAILED: State.FAILED,
    EventType.CANCELED: State.CANCELED,
    EventType.EXPIRED: State.EXPIRED,
    EventType.REDRIVEN: State.QUEUED,
}


class StreamUnavailableError(ClientError):
    """No event stream gets through to this client; long-polling may."""


def event_of(payload: dict[str, Any], number: str = "") -> Event:
    """An `Event` of a CloudEvent. `number` is the stream's `id:`; without one the event's own number counts."""
    own = str(payload.get("sequence") or payload.get("seq") or payload.get("id") or "0")
    digits = (number or own).rpartition("/")[2].rpartition(":")[2]
    return Event.model_validate({**payload, "seq": int(digits) if digits.isdigit() else 0})


def one_stream(transport: Transport, job_id: str, *, after: int, deadline: float | None) -> Iterator[Event]:
    """The events after number `after`, over one connection. `deadline` is on the monotonic clock.

    Raises WaitTimeoutError past the deadline, StreamUnavailableError where the answer is no event stream.
    """
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if after:
        headers["Last-Event-ID"] = str(after)
    patience = SILENCE if deadline is None else max(min(SILENCE, deadline - time.monotonic()), 0.05)
    timeout = httpx.Timeout(patience, connect=5.0)
    with transport.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=timeout) as response:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise StreamUnavailableError("The answer is not an event stream.")
        for frame in frames(_until(response.iter_lines(), deadline, job_id)):
            yield event_of(json.loads(frame.data), frame.id)


def follow(transport: Transport, job_id: str, *, after: int = 0, deadline: float | None = None) -> Iterator[Event]:
    """The events after number `after`, live, each once and in order, over as many connections as it takes.

    Ends when the gateway closes the stream and the job is done (a retried job has several terminal events: only the last is its end).
    Raises StreamUnavailableError after three fruitless connections in a row, WaitTimeoutError past the deadline.
    """
    fruitless, ended = 0, False
    while True:
        before = after
        cause: ClientError | None = None
        try:
            for event in one_stream(transport, job_id, after=after, deadline=deadline):
                if event.seq > after:
                    after, ended = event.seq, event.type in TERMINAL_EVENTS
                    yield event
        except (UnreachableError, UnavailableError, LimitedError) as error:
            cause = error
        if ended or (cause is None and after == before and _is_done(transport, job_id)):
            return
        check_deadline(deadline, job_id)
        fruitless = 0 if after > before else fruitless + 1
        if fruitless >= FRUITLESS:
            raise StreamUnavailableError(f"No event of {job_id} came over {fruitless} connections.") from cause
        transport.sleep(backoff(fruitless + 1))


def applied(job: Job, event: Event) -> Job:
    """`job` as it is after `event`, as far as the event tells: state, progress, attempt. The result needs a GET."""
    changes: dict[str, Any] = {}
    state = _STATES.get(EventType(event.type)) if event.type in set(EventType) else None
    if state is not None and not (state is State.RUNNING and job.state is State.CANCELING):
        changes = {"state": state, "done": state in TERMINAL}
    progress = event.data.get("progress", event.data)
    if isinstance(progress, dict) and "fraction" in progress:
        changes["progress"] = Progress.model_validate({name: progress[name] for name in Progress.model_fields if name in progress})
    if isinstance(event.data.get("attempt"), int):
        changes["attempt"] = event.data["attempt"]
    return job.model_copy(update=changes)


def check_deadline(deadline: float | None, job_id: str) -> None:
    """Raise WaitTimeoutError where `deadline` (monotonic seconds) is over."""
    if deadline is not None and time.monotonic() >= deadline:
        raise WaitTimeoutError(f"{job_id} is not done yet; it goes on.")


def _is_done(transport: Transport, job_id: str) -> bool:
    """Asked where a stream ended without a terminal event: there may be none after the number asked for."""
    return bool(transport.request("GET", f"/v1/jobs/{job_id}").json().get("done"))


def _until(lines: Iterator[str], deadline: float | None, job_id: str) -> Iterator[str]:
    for line in lines:
        check_deadline(deadline, job_id)
        yield line
