"""Waiting for a job: by its events where a stream gets through, by long-polling where not."""

import time
from collections.abc import Callable

import httpx

from client.errors import UnavailableError, UnreachableError
from client.events import StreamUnavailableError, applied, check_deadline, follow
from client.models import Job
from client.transport import Transport

LONG_POLL = 20
"""Seconds asked for with `Prefer: wait` (RFC 7240); below the usual 30 s of proxies."""
LOST = 60.0
"""Seconds without any answer after which the wait is given up: a gateway that restarts is back long before."""

OnProgress = Callable[[Job], None]


def fetch(transport: Transport, job_id: str, *, wait: float = 0) -> Job:
    """The job; with `wait` (seconds) the answer may be held back until it is done."""
    headers = {"Prefer": f"wait={int(wait)}"} if wait >= 1 else {}
    response = transport.request("GET", f"/v1/jobs/{job_id}", headers=headers, timeout=httpx.Timeout(wait + 30.0, connect=5.0))
    return Job.model_validate(response.json())


def wait_until_done(transport: Transport, job: Job, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> Job:
    """The job once it is done, however it ended. `on_progress` is called with each newer view of it, the last included.

    Raises WaitTimeoutError after `timeout` seconds, UnreachableError after 60 s without an answer.
    """
    tell = on_progress or (lambda _: None)
    deadline = None if timeout is None else time.monotonic() + timeout
    if job.done:
        tell(job)
        return job
    seen = job
    try:
        for event in follow(transport, job.id, deadline=deadline):
            newer = applied(seen, event)
            if newer != seen and not newer.done:  # the end is told once, with the result
                tell(newer)
            seen = newer
    except StreamUnavailableError:
        pass  # polling below needs no stream, and says itself when there is no gateway either
    return _poll(transport, seen, tell, deadline)


def _poll(transport: Transport, seen: Job, tell: OnProgress, deadline: float | None) -> Job:
    heard = time.monotonic()
    first = True
    while True:
        left = LONG_POLL if deadline is None else max(deadline - time.monotonic(), 0.0)
        try:
            job = fetch(transport, seen.id, wait=0 if first else min(left, LONG_POLL))
        except (UnreachableError, UnavailableError):
            if time.monotonic() - heard > LOST:
                raise
            transport.sleep(1.0)
        else:
            heard, first = time.monotonic(), False
            if job != seen:
                tell(job)
            if job.done:
                return job
            seen = job
        check_deadline(deadline, seen.id)
