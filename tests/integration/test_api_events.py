"""A job's events: numbered CloudEvents, as a list and as a stream that resumes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest

from client.sse import Frame, frames
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant


@contextmanager
def stream(tenant: Tenant, job: str, *, headers: dict[str, str] | None = None, **params: Any) -> Iterator[httpx.Response]:
    """The job's event stream, open."""
    wanted = {"Accept": "text/event-stream", **(headers or {})}
    with tenant.client.stream("GET", f"/v1/jobs/{job}/events", headers=wanted, params=params) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield answer


def replay(tenant: Tenant, job: str, **given: Any) -> list[Frame]:
    """A stream to its end."""
    with stream(tenant, job, **given) as answer:
        return list(frames(answer.iter_lines()))


def test_events_are_cloud_events(desk: ApiDesk, mine: Tenant) -> None:
    """As a list they are CloudEvents 1.0, numbered from 1 without a gap, oldest first, of the job's own trace."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    job = mine.submit(headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})["id"]
    token = desk.claim(job)
    desk.progress(job, token, 0.5)
    desk.succeed(job, token=token)
    answer = mine.client.get(f"/v1/jobs/{job}/events")
    events = answer.json()

    assert "application/json" == answer.headers["content-type"]
    assert ["job.accepted", "job.started", "job.progressed", "job.succeeded"] == [event["type"] for event in events]
    assert [1, 2, 3, 4] == [event["seq"] for event in events]
    assert sorted(event["sequence"] for event in events) == [event["sequence"] for event in events]
    assert len({event["id"] for event in events}) == 4
    for event in events:
        assert ("1.0", f"/v1/jobs/{job}", job, "application/json") == tuple(
            event[name] for name in ("specversion", "source", "subject", "datacontenttype")
        )
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
        assert trace == event["traceparent"].split("-")[1]
        assert (job, "avatar") == (event["data"]["job"], event["data"]["service"])
    assert 0.5 == events[2]["data"]["fraction"]


def test_a_finished_jobs_stream_is_its_list(desk: ApiDesk, mine: Tenant) -> None:
    """The same events, `id` = number and `event` = type; it ends by itself after the terminal one."""
    job = mine.submit()["id"]
    desk.succeed(job)
    told = replay(mine, job)

    assert [("1", "job.accepted"), ("2", "job.started"), ("3", "job.succeeded")] == [(frame.id, frame.event) for frame in told]
    assert mine.client.get(f"/v1/jobs/{job}/events").json() == [json.loads(frame.data) for frame in told]


def test_a_stream_resumes(desk: ApiDesk, mine: Tenant) -> None:
    """After `Last-Event-ID`, or `?after=`, or the higher of both; past the end of a done job it is empty and ends."""
    job = mine.submit()["id"]
    desk.succeed(job)

    assert ["2", "3"] == [frame.id for frame in replay(mine, job, headers={"Last-Event-ID": "1"})]
    assert ["3"] == [frame.id for frame in replay(mine, job, after=2)]
    assert ["3"] == [frame.id for frame in replay(mine, job, headers={"Last-Event-ID": "2"}, after=1)]
    assert [] == replay(mine, job, after=3)
    assert [] == replay(mine, job, after=2**53 - 1)
    assert [2, 3] == [event["seq"] for event in mine.client.get(f"/v1/jobs/{job}/events", params={"after": 1}).json()]


def test_a_stream_follows(desk: ApiDesk, mine: Tenant) -> None:
    """Events come as they happen, before the next one does, and the terminal one is the last."""
    job = mine.submit()["id"]
    with stream(mine, job) as answer:
        told = frames(answer.iter_lines())
        first = next(told)
        token = desk.claim(job)
        second = next(told)
        desk.progress(job, token, 0.3)
        third = next(told)
        desk.succeed(job, token=token)
        rest = list(told)

    assert ["job.accepted", "job.started", "job.progressed"] == [first.event, second.event, third.event]
    assert ["job.succeeded"] == [frame.event for frame in rest]


def test_a_silent_stream_pings(mine: Tenant) -> None:
    """A comment within 15 s, so that proxies and clients know that it lives."""
    job = mine.submit()["id"]
    with stream(mine, job, after=1) as answer:
        line = next(line for line in answer.iter_lines() if line)

    assert line.startswith(":")
    assert answer.elapsed.total_seconds() < 15


def test_a_redriven_jobs_stream_goes_on(desk: ApiDesk, mine: Tenant) -> None:
    """The first epoch's end does not close it; the numbers go on."""
    job = mine.submit()["id"]
    desk.fail(job)
    mine.client.post(f"/v1/jobs/{job}/retry")
    with stream(mine, job) as answer:
        told = frames(answer.iter_lines())
        before = [next(told).event for _ in range(4)]
        desk.succeed(job)
        after = [(frame.id, frame.event) for frame in told]

    assert ["job.accepted", "job.started", "job.failed", "job.redriven"] == before
    assert [("5", "job.started"), ("6", "job.succeeded")] == after


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 16, "9" * 5_000, "²"])
def test_a_bad_number_is_pointed_at(mine: Tenant, number: str) -> None:
    """A 422, in the header or in the query."""
    job = mine.submit()["id"]
    header = mine.client.get(f"/v1/jobs/{job}/events", headers=[(b"Last-Event-ID", number.encode("latin-1"))])
    query = mine.client.get(f"/v1/jobs/{job}/events", params={"after": number})

    assert ["/header/last-event-id"] == [error["pointer"] for error in problem(header, "invalid-request")["errors"]]
    assert ["/query/after"] == [error["pointer"] for error in problem(query, "invalid-request")["errors"]]
