"""Over HTTP: a job is paused and resumed; a mailing that is over is sent to those who are without it."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from shared.contracts.base import Artifact
from shared.ledger import calls
from tests.gateways import problem
from tests.integration.api_desk import BODIES, ApiDesk, Tenant
from tests.servers import wait_until


def end(desk: ApiDesk, job: str, **counts: int) -> None:
    """The mailing says who got it."""
    blob = desk.storage.put(f"jobs/{job}/1/recipients.jsonl", b"", "application/x-ndjson")
    made = Artifact(name="recipients.jsonl", key=blob.key, bytes=0, sha256=str(blob.sha256), media_type="application/x-ndjson")
    desk.run(job, calls.succeed(job, desk.claim(job), json.dumps(counts), json.dumps([made.model_dump()])))


def test_pause_and_resume(desk: ApiDesk, mine: Tenant) -> None:
    """Shown with the job; again harmless; not once it is done, and not by others."""
    job = mine.submit("mailings")["id"]
    for action, paused in (("pause", True), ("pause", True), ("resume", False), ("resume", False)):
        answer = mine.client.post(f"/v1/jobs/{job}/{action}")
        assert (202, paused) == (answer.status_code, answer.json()["paused"])
    assert ["accepted", "progressed", "progressed"] == mine.types(job)
    with desk.tenant() as other:
        problem(other.client.post(f"/v1/jobs/{job}/pause"), "not-found")
    mine.client.post(f"/v1/jobs/{job}/cancel")
    for action in ("pause", "resume"):
        problem(mine.client.post(f"/v1/jobs/{job}/{action}"), "conflict")


def test_resend(desk: ApiDesk, mine: Tenant) -> None:
    """The same content to those who missed it, without what was about the first one only; once, however often it is asked for."""
    job = mine.submit("mailings", unique_key="weekly", labels={"a": "b"}, priority="low")["id"]
    url = f"/v1/mailings/{job}/resend"
    problem(mine.client.post(url, json={"who": "missed"}), "conflict")
    end(desk, job, recipients=3, sent=2, canceled=1)
    first, second = (mine.client.post(url, json={"who": "missed"}) for _ in range(2))
    made = first.json()["request"]

    assert (202, None) == (first.status_code, first.headers.get("idempotent-replayed"))
    assert (first.json()["id"], "true") == (second.json()["id"], second.headers["idempotent-replayed"])
    assert {"mailing": job, "who": "missed"} == made["recipients"]
    assert {"labels": {"a": "b", "resend_of": job}, "priority": "low"} == made["options"]
    assert BODIES["mailings"]["subject"] == made["subject"]
    assert "nobody" in problem(mine.client.post(url, json={"who": "failed"}), "conflict")["detail"]


def test_what_cannot_be_sent_again(desk: ApiDesk, mine: Tenant) -> None:
    """No mailing, one that says nothing, another tenant's; a wrong `who` is pointed at."""
    avatar, silent = mine.submit("avatars")["id"], mine.submit("mailings")["id"]
    mine.client.post(f"/v1/jobs/{silent}/cancel")
    problem(mine.client.post(f"/v1/mailings/{avatar}/resend", json={"who": "missed"}), "not-found")
    problem(mine.client.post(f"/v1/mailings/{silent}/resend", json={"who": "missed"}), "conflict")
    with desk.tenant() as other:
        problem(other.client.post(f"/v1/mailings/{silent}/resend", json={"who": "missed"}), "not-found")
    wrong = problem(mine.client.post(f"/v1/mailings/{silent}/resend", json={"who": "all"}), "invalid-request")
    assert ["/who"] == [error["pointer"] for error in wrong["errors"]]


def test_preview(desk: ApiDesk, mine: Tenant) -> None:
    """The worker's answer at once, as a mail or as a problem with its pointer; nothing of it stays among the jobs."""

    def answer(result: Mapping[str, object]) -> None:
        ledger = desk.ledgers["mailer"]
        wait_until(lambda: ledger.run(calls.jobs(mine.name)) != [], "somebody asks", seconds=10)
        (job,) = ledger.run(calls.jobs(mine.name))
        desk.run(job.id, calls.succeed(job.id, desk.claim(job.id), json.dumps(result), "[]"))

    for result, status in (({"subject": "Hi Ada"}, 200), ({"problem": {"detail": "no name", "pointer": "/html"}}, 422)):
        with ThreadPoolExecutor(1) as worker:
            done = worker.submit(answer, result)
            seen = mine.client.post("/v1/mailings/preview", json=BODIES["mailings"])
            done.result()
        assert (status, []) == (seen.status_code, mine.client.get("/v1/jobs").json()["items"])
    assert ["/html"] == [error["pointer"] for error in problem(seen, "invalid-request")["errors"]]
    problem(mine.client.post("/v1/mailings/preview", json={**BODIES["mailings"], "subjekt": ""}), "invalid-request")
