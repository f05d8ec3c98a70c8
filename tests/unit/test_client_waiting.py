"""Following a job: streams, breaks, resume, polling; and lists in pages."""

from typing import Any

import httpx
import pytest

from client.errors import JobFailedError, NotFoundError, WaitTimeoutError
from client.events import applied
from client.models import Event, Job
from client.sse import Frame, frames
from tests.unit.client_gateway import DONE, JOB, Gateway, problem, stream

Sent = tuple[int, str, dict[str, Any]]

STARTED: Sent = (2, "job.started", {"attempt": 1})
HALF: Sent = (3, "job.progressed", {"fraction": 0.5, "step": "draw"})
END: Sent = (4, "job.succeeded", {})


def test_frames_follow_the_standard() -> None:
    """Pings are skipped, data lines joined, the id stays until a new one, and a cut-off frame is dropped."""
    lines = [": ping", "", "id: 7", "event: a", "data: 1", "data:2", "", "data: 3", "", "data: cut"]

    assert [Frame("a", "1\n2", "7"), Frame("message", "3", "7")] == list(frames(lines))


def test_wait_tells_progress_and_fetches_the_end() -> None:
    """Progress comes from the stream, the result from one GET after it."""
    gateway = Gateway(stream((1, "job.accepted", {}), STARTED, HALF, END), httpx.Response(200, json=DONE))
    seen: list[tuple[str, float]] = []
    done = gateway.client().wait(Job.model_validate(JOB), on_progress=lambda job: seen.append((job.state, job.progress.fraction)))

    assert done.done
    assert seen == [("running", 0.0), ("running", 0.5), ("succeeded", 0.0)]
    assert [f"GET /v1/jobs/{JOB['id']}/events", f"GET /v1/jobs/{JOB['id']}"] == gateway.calls()


def test_a_broken_stream_goes_on_after_the_last_event() -> None:
    """The second connection says Last-Event-ID, and what is sent twice is told once."""
    gateway = Gateway(stream((1, "job.accepted", {}), STARTED), httpx.ReadError("reset"), stream(STARTED, HALF, END))
    numbers = [event.seq for event in gateway.client().follow("avatar_1")]

    assert numbers == [1, 2, 3, 4]
    assert [request.headers.get("last-event-id") for request in gateway.asked] == [None, "2", "2"]


def test_a_redriven_jobs_old_end_does_not_end_the_stream() -> None:
    """Only the terminal event after which the gateway closes is the end: earlier epochs have one too."""
    gateway = Gateway(stream((1, "job.failed", {}), (2, "job.redriven", {}), (3, "job.succeeded", {})))

    assert [event.seq for event in gateway.client().follow("avatar_1")] == [1, 2, 3]


def test_where_no_stream_gets_through_the_job_is_polled() -> None:
    """An answer that is no event stream leads to long-polling with Prefer: wait."""
    gateway = Gateway(
        httpx.Response(200, json=[]), httpx.Response(200, json=JOB), httpx.Response(200, json={**JOB, "state": "running"}),
        httpx.Response(200, json=DONE),
    )  # fmt: skip
    seen: list[str] = []
    gateway.client().wait(Job.model_validate(JOB), on_progress=lambda job: seen.append(job.state))

    assert seen == ["running", "succeeded"]
    assert gateway.asked[3].headers["prefer"] == "wait=20"


def test_three_fruitless_streams_lead_to_polling() -> None:
    """A proxy that swallows streams does not hold up the wait."""
    gateway = Gateway(
        httpx.ReadError("cut"), stream(), httpx.Response(200, json=JOB), httpx.ReadTimeout("silent"), httpx.Response(200, json=DONE)
    )

    assert gateway.client().wait(Job.model_validate(JOB)).done


def test_following_a_done_job_after_its_last_event_ends() -> None:
    """There is nothing more to come, and nothing is wrong."""
    gateway = Gateway(stream(), httpx.Response(200, json=DONE))

    assert list(gateway.client().follow("avatar_1", after=4)) == []


def test_waiting_for_nothing_known_is_an_error() -> None:
    """A 404 on the stream is the answer, not a break."""
    gateway = Gateway(problem(404, "not-found", "no such job"))

    with pytest.raises(NotFoundError):
        gateway.client().wait(Job.model_validate(JOB))


def test_the_time_can_be_over() -> None:
    """After the timeout the job goes on, and the caller is told."""
    gateway = Gateway(stream(STARTED, HALF))

    with pytest.raises(WaitTimeoutError, match="it goes on"):
        gateway.client().wait(Job.model_validate(JOB), timeout=0)


def test_check_raises_for_a_failed_job() -> None:
    """With check, anything but success is an exception that holds the job and says why."""
    failed = {**DONE, "state": "failed", "error": {"type": "no-face", "title": "t", "detail": "no face was found", "retryable": False}}

    with pytest.raises(JobFailedError, match="no face was found") as caught:
        Gateway().client().wait(Job.model_validate(failed), check=True)
    assert caught.value.job.state == "failed"


def test_a_cancel_under_way_is_not_undone_by_late_progress() -> None:
    """A progress event after a cancel request does not say that the job runs on."""
    job = Job.model_validate({**JOB, "state": "canceling"})

    assert applied(job, Event(seq=9, type="job.progressed", data={"fraction": 0.9})).state == "canceling"


def test_an_event_of_a_newer_gateway_changes_nothing() -> None:
    """Readers ignore what they do not know."""
    job = Job.model_validate(JOB)

    assert job == applied(job, Event(seq=9, type="job.teleported"))


def test_events_without_a_stream_are_numbered_by_their_id() -> None:
    """The JSON list's events carry their number in the CloudEvent's id."""
    gateway = Gateway(httpx.Response(200, json=[{"id": f"{JOB['id']}/5", "type": "job.started", "data": {}}]))

    assert [event.seq for event in gateway.client().events("avatar_1", after=4)] == [5]


def test_lists_are_read_page_by_page_up_to_the_limit() -> None:
    """The cursor is followed, and no more is asked for than was wanted."""
    pages = [{"items": [JOB, JOB], "next_cursor": "c1"}, {"items": [JOB, JOB], "next_cursor": "c2"}]
    gateway = Gateway(*(httpx.Response(200, json=page) for page in pages))
    jobs = list(gateway.client().jobs(service="avatar", label="team:blue", limit=3))

    assert len(jobs) == 3
    assert gateway.asked[0].url.params["label"] == "team:blue"
    assert gateway.asked[1].url.params["cursor"] == "c1"
