"""Submitting: tickets, idempotency keys, unique keys, options."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.ledger import calls
from tests.gateways import problem
from tests.integration.api_desk import BODIES, MINUTE, ApiDesk, Tenant

MEMBERS = {
    "id", "service", "kind", "state", "done", "progress", "attempt", "epoch", "created_at", "started_at", "finished_at", "run_at",
    "request", "result", "error", "artifacts", "children", "labels", "trace_id", "links", "paused",
}  # fmt: skip
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("route", "kind"), [("avatars", "avatar.generate.v1"), ("mailings", "mailer.mailing.v1"), ("transcodes", "transcoder.transcode.v1")]
)
def test_submit_answers_with_the_job(mine: Tenant, route: str, kind: str) -> None:
    """202 with Location, Retry-After and the job as GET shows it a moment later."""
    answer = mine.client.post(f"/v1/{route}", json=BODIES[route])
    job = answer.json()
    later = mine.job(job["id"])

    assert 202 == answer.status_code
    assert f"/v1/jobs/{job['id']}" == answer.headers["location"] == job["links"]["self"]
    assert int(answer.headers["retry-after"]) > 0
    assert set(job) == MEMBERS
    assert (kind, kind.partition(".")[0], "queued", False, 0, 1) == tuple(
        job[name] for name in ("kind", "service", "state", "done", "attempt", "epoch")
    )
    assert BODIES[route] == job["request"]
    assert {**job, "created_at": ""} == {**later, "created_at": ""}


def test_what_needs_a_gpu_waits_for_one(desk: ApiDesk, mine: Tenant) -> None:
    """In a queue of its own, by priority; where it may be degraded, only while somebody listens there, else any worker may have it."""
    body = {"prompt": "a fox", "engine": "diffusion"}

    def queue(**more: Any) -> str:
        job_id = mine.client.post("/v1/avatars", json={**body, **more}).raise_for_status().json()["id"]
        return str(desk.run(job_id, calls.read(job_id)).text("queue"))

    before = [queue(), queue(options={"priority": "high"}), queue(degrade=True), queue(degrade=True, options={"priority": "low"})]
    desk.ledgers["avatar"].run(calls.renew("gpu@test", lease_ms=MINUTE, info={"name": "gpu@test", "queues": ["avatar.gpu"]}))
    after = [queue(), queue(degrade=True), queue(degrade=True, options={"priority": "low"})]

    assert ["avatar.gpu", "avatar.gpu.high", "avatar", "avatar.low"] == before
    assert ["avatar.gpu", "avatar.gpu", "avatar.low"] == after


def test_the_callers_trace_is_continued(mine: Tenant) -> None:
    """The job's trace id is the one in `traceparent`."""
    job = mine.submit(headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})

    assert job["trace_id"] == TRACE


def test_the_same_key_and_body_give_the_same_job(mine: Tenant) -> None:
    """Quoted or bare, whatever the spacing and order of members; the replay says so and makes no second job."""
    first = mine.client.post("/v1/avatars", json={"seed": "ada", "size": 64}, headers={"Idempotency-Key": "k-1"})
    again = mine.client.post("/v1/avatars", content=b'{ "size":64, "seed":"ada"}', headers={"Idempotency-Key": '"k-1"', **JSON})

    assert "idempotent-replayed" not in first.headers
    assert (202, "true") == (again.status_code, again.headers["idempotent-replayed"])
    assert first.headers["location"] == again.headers["location"]
    assert first.json()["id"] == again.json()["id"]
    assert 1 == len(mine.client.get("/v1/jobs").json()["items"])


def test_another_body_under_the_key_is_refused(mine: Tenant) -> None:
    """422 idempotency-mismatch, and again after the job is gone on; another tenant's key of the same name is another key."""
    headers = {"Idempotency-Key": "k-2"}
    mine.client.post("/v1/avatars", json={"seed": "ada"}, headers=headers)

    problem(mine.client.post("/v1/avatars", json={"seed": "eve"}, headers=headers), "idempotency-mismatch")
    problem(mine.client.post("/v1/avatars", json={"seed": 1}, headers=headers), "idempotency-mismatch")


def test_a_key_is_its_tenants_own(desk: ApiDesk, mine: Tenant) -> None:
    """The same key of another tenant makes another job."""
    job = mine.submit(headers={"Idempotency-Key": "shared"})
    with desk.tenant() as other:
        theirs = other.submit(headers={"Idempotency-Key": "shared"})

    assert job["id"] != theirs["id"]


def test_a_replay_shows_the_job_as_it_is_now(desk: ApiDesk, mine: Tenant) -> None:
    """The same job, but not yesterday's news."""
    job = mine.submit(headers={"Idempotency-Key": "k-3"})
    desk.succeed(job["id"])

    again = mine.submit(headers={"Idempotency-Key": "k-3"})

    assert (job["id"], "succeeded") == (again["id"], again["state"])


def test_a_final_refusal_is_replayed(mine: Tenant) -> None:
    """The same 422 again, marked; another body under that key is a mismatch, though it would be right."""
    headers = {"Idempotency-Key": "k-4"}
    first = problem(mine.client.post("/v1/avatars", json={"size": 1}, headers=headers), "invalid-request")
    answer = mine.client.post("/v1/avatars", json={"size": 1}, headers=headers)
    again = problem(answer, "invalid-request")

    assert "true" == answer.headers["idempotent-replayed"]
    assert (first["errors"], first["detail"]) == (again["errors"], again["detail"])
    problem(mine.client.post("/v1/avatars", json={"seed": "ada"}, headers=headers), "idempotency-mismatch")


def test_concurrent_requests_make_one_job(mine: Tenant) -> None:
    """Whoever is not first gets the same job, or is told that it is under way."""

    def send(_: int) -> Any:
        return mine.client.post("/v1/avatars", json={"seed": "ada"}, headers={"Idempotency-Key": "k-5"})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(32)))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    for answer in answers:
        if answer.status_code != 202:
            problem(answer, "idempotency-in-flight")

    assert 1 == len(made) == len(mine.client.get("/v1/jobs").json()["items"])


@pytest.mark.parametrize("key", ["", '""', "x" * 256, f'"{"x" * 256}"'])
def test_a_key_has_1_to_255_characters(mine: Tenant, key: str) -> None:
    """Others are refused with a pointer to the header."""
    found = problem(mine.client.post("/v1/avatars", json={"seed": "a"}, headers={"Idempotency-Key": key}), "invalid-request")

    assert ["/header/idempotency-key"] == [error["pointer"] for error in found["errors"]]


def test_unique_until_done(desk: ApiDesk, mine: Tenant) -> None:
    """One live job per unique key; the 409 names it; once it is done the key is free."""
    job = mine.submit(unique_key="ada's face")
    refused = problem(mine.client.post("/v1/avatars", json={"seed": "x", "options": {"unique_key": "ada's face"}}), "unique-conflict")
    desk.succeed(job["id"])

    assert job["id"] == refused["job"]
    assert job["id"] != mine.submit(unique_key="ada's face")["id"]


def test_unique_for_a_time(desk: ApiDesk, mine: Tenant) -> None:
    """With mode `ttl` the key stays taken when the job is done, and is free when the time is over."""
    options: dict[str, Any] = {"unique_key": "hourly", "unique_mode": "ttl", "unique_ttl": 3_600}
    job = mine.submit(**options)
    desk.succeed(job["id"])
    held = mine.client.post("/v1/avatars", json={"seed": "x", "options": options})
    key = f"cf:{{avatar}}:unique:{mine.name}:avatar.generate.v1:hourly"

    problem(held, "unique-conflict")
    assert 0 < int(desk.ledgers["avatar"].redis.ttl(key)) <= 3_600


def test_priority_chooses_the_queue(desk: ApiDesk, mine: Tenant) -> None:
    """A queue each; the job lies in its own."""
    jobs = {priority: mine.submit(priority=priority)["id"] for priority in ("high", "normal", "low")}
    queues = {priority: desk.run(job, calls.read(job)).text("queue") for priority, job in jobs.items()}

    assert {"high": "avatar.high", "normal": "avatar", "low": "avatar.low"} == queues


def test_run_at_waits(desk: ApiDesk, mine: Tenant) -> None:
    """Not to be claimed before its time; queued and claimable from then on."""
    when = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    job = mine.submit(run_at=when.isoformat())
    early = desk.run(job["id"], calls.claim(job["id"], worker="w", pid=1, lease_ms=1_000, nonce="early"))
    desk.look(job["id"], now=int(when.timestamp() * 1_000) + 1)

    assert when.strftime("%Y-%m-%dT%H:%M:%S.000Z") == job["run_at"]
    assert "early" == early.word
    assert desk.claim(job["id"]) == 1
    assert mine.job(job["id"])["run_at"] is None


def test_expires_at_ends_what_did_not_start(desk: ApiDesk, mine: Tenant) -> None:
    """`expired`, done, with the event; it can be retried."""
    soon = datetime.now(UTC) + timedelta(seconds=30)
    job = mine.submit(expires_at=soon.isoformat())
    desk.look(job["id"], now=int((time.time() + 31) * 1_000))
    found = mine.job(job["id"])

    assert ("expired", True) == (found["state"], found["done"])
    assert ["accepted", "expired"] == mine.types(job["id"])
    assert 202 == mine.client.post(f"/v1/jobs/{job['id']}/retry").status_code


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"priority": "urgent"}, "/options/priority"),
        ({"run_at": "tomorrow"}, "/options/run_at"),
        ({"run_at": "2030-01-01T00:00:00"}, "/options/run_at"),
        ({"run_at": "0001-01-01T00:00:00+23:00"}, "/options/run_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, "/options/expires_at"),
        ({"run_at": "2031-01-01T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z"}, "/options"),
        ({"unique_key": ""}, "/options/unique_key"),
        ({"unique_mode": "forever"}, "/options/unique_mode"),
        ({"labels": {"a b": "c"}}, "/options/labels/a b"),
        ({"labels": {"a": 1}}, "/options/labels/a"),
        ({"max_attempts": 0}, "/options/max_attempts"),
        ({"webhook": {"url": "http://example.com"}}, "/options/webhook/url"),
        ({"webhook": {"url": "https://ada:secret@example.com"}}, "/options/webhook/url"),
        ({"webhook": {"url": "https://169.254.169.254/latest"}}, "/options/webhook/url"),
        ({"webhook": {"url": "https://[::ffff:10.0.0.1]:8443/"}}, "/options/webhook/url"),
        ({"webhook": {"url": "https://example.com", "events": []}}, "/options/webhook/events"),
        ({"webhook": {"url": "https://example.com", "events": ["job.done"]}}, "/options/webhook/events/0"),
        ({"colour": "red"}, "/options/colour"),
    ],
)
def test_bad_options_are_pointed_at(mine: Tenant, options: dict[str, Any], pointer: str) -> None:
    """A 422 with the guilty member."""
    found = problem(mine.client.post("/v1/avatars", json={"seed": "ada", "options": options}), "invalid-request")

    assert [pointer] == [error["pointer"] for error in found["errors"]]


def test_an_upload_that_is_not_there_is_pointed_at(mine: Tenant) -> None:
    """The field that names it is to blame."""
    found = problem(mine.client.post("/v1/transcodes", json={"source": "upl_2f1c9a7be6d04c6f"}), "invalid-request")

    assert ["/source"] == [error["pointer"] for error in found["errors"]]


def test_a_large_request_is_kept_by_reference(mine: Tenant) -> None:
    """A mailing of over 64 kB is accepted; the job shows the request's size and digest in its place."""
    people = [{"email": f"reader{n}@example.com", "vars": {"n": n}} for n in range(3_000)]
    answer = mine.client.post("/v1/mailings", json={**BODIES["mailings"], "recipients": people})

    assert 202 == answer.status_code
    assert {"bytes", "sha256"} == set(answer.json()["request"]["stored"]) == set(mine.job(answer.json()["id"])["request"]["stored"])
