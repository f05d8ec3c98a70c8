"""/v1/schedules over HTTP: made, shown, changed, run by hand, deleted; by whom, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.ledger import schedules
from tests.gateways import problem
from tests.integration.api_desk import BODIES, ApiDesk, Tenant

WEEKLY: dict[str, Any] = {
    "cron": "0 9 * * MON",
    "timezone": "Europe/Berlin",
    "kind": "mailer.mailing.v1",
    "request": BODIES["mailings"],
    "paused": False,
}


def make(mine: Tenant, **other: Any) -> dict[str, Any]:
    """A schedule."""
    answer = mine.client.post("/v1/schedules", json={**WEEKLY, **other})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/schedules/{made['id']}"
    return made


def test_made_shown_listed_and_deleted(mine: Tenant) -> None:
    """What was asked for, the runs to come on Mondays at nine in Berlin, and no last runs yet."""
    made = make(mine, late_by_at_most=600)
    coming = [datetime.fromisoformat(at) for at in made["next_runs"]]

    assert {**WEEKLY, "late_by_at_most": 600, "service": "mailer", "last_run_at": None, "last_runs": []} == {
        name: made[name] for name in (*WEEKLY, "late_by_at_most", "service", "last_run_at", "last_runs")
    }
    assert made["next_runs"][0] == made["next_run_at"]
    assert [True] * 5 == [at.weekday() == 0 and at.hour in {7, 8} and at > datetime.now(UTC) for at in coming]
    assert made == mine.client.get(f"/v1/schedules/{made['id']}").json()
    other = make(mine, kind="avatar.generate.v1", request={"seed": "ada"}, cron="*/5 * * * *")
    pages = [mine.client.get("/v1/schedules", params={"limit": "1"}).json()]
    pages.append(mine.client.get("/v1/schedules", params={"limit": "1", "cursor": pages[0]["next_cursor"]}).json())
    assert ([[other], [made]], None) == ([page["items"] for page in pages], pages[1]["next_cursor"])
    assert [made] == mine.client.get("/v1/schedules?service=mailer").json()["items"]
    assert 204 == mine.client.delete(f"/v1/schedules/{made['id']}").status_code
    problem(mine.client.get(f"/v1/schedules/{made['id']}"), "not-found")


def test_a_due_run_is_shown_with_its_job(desk: ApiDesk, mine: Tenant) -> None:
    """Run by hand, also while paused: a job like a submission's, noted among the last runs, and labelled."""
    made = make(mine, paused=True)
    answer = mine.client.post(f"/v1/schedules/{made['id']}/run", headers={"Idempotency-Key": "k"})
    again = mine.client.post(f"/v1/schedules/{made['id']}/run", headers={"Idempotency-Key": "k"})
    job, shown = answer.json(), mine.client.get(f"/v1/schedules/{made['id']}").json()

    assert (202, f"/v1/jobs/{job['id']}", "mailer.mailing.v1") == (answer.status_code, answer.headers["location"], job["kind"])
    assert (202, job["id"], "true") == (again.status_code, again.json()["id"], again.headers["idempotent-replayed"])
    assert [("submitted", job["id"], True, 1)] == [(r["outcome"], r["job"], r["by_hand"], r["count"]) for r in shown["last_runs"]]
    assert (None, [], shown["last_runs"][0]["scheduled_for"]) == (shown["next_run_at"], shown["next_runs"], shown["last_run_at"])
    assert [job["id"]] == [found["id"] for found in mine.client.get(shown["links"]["jobs"]).json()["items"]]
    assert BODIES["mailings"] == mine.job(job["id"])["request"]
    desk.succeed(job["id"])


def test_changed_paused_and_resumed(mine: Tenant) -> None:
    """What is given changes, the rest stays; a change on top of a version that is not the last is refused."""
    made = make(mine)
    here = f"/v1/schedules/{made['id']}"
    first = mine.client.get(here).headers["etag"]
    paused = mine.client.patch(here, json={"paused": True}, headers={"If-Match": first})
    stale = mine.client.patch(here, json={"paused": False}, headers={"If-Match": first})
    resumed = mine.client.patch(here, json={"paused": False, "cron": "0 0 1 1 *", "timezone": "UTC"}).json()

    assert (200, None, []) == (paused.status_code, paused.json()["next_run_at"], paused.json()["next_runs"])
    assert first != paused.headers["etag"]
    problem(stale, "precondition-failed")
    problem(mine.client.delete(here, headers={"If-Match": first}), "precondition-failed")
    year = (datetime.now(UTC) + timedelta(days=366)).year
    assert resumed["next_run_at"] in {f"{year}-01-01T00:00:00.000Z", f"{year - 1}-01-01T00:00:00.000Z"}
    assert WEEKLY["request"] == resumed["request"]
    assert "Ho" == mine.client.patch(here, json={"request": {**BODIES["mailings"], "subject": "Ho"}}).json()["request"]["subject"]
    wrong = mine.client.patch(here, json={"request": {**BODIES["mailings"], "colour": 1}})
    assert ["/request/colour"] == [error["pointer"] for error in problem(wrong, "invalid-request")["errors"]]


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"cron": "61 * * * *"}, "/cron"),
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"kind": "mailer.sweep.v1"}, "/kind"),
        ({"kind": "shop.buy.v1"}, "/kind"),
        ({"request": {**BODIES["mailings"], "subjekt": "Hi"}}, "/request/subjekt"),
        ({"request": {**BODIES["mailings"], "recipients": "upl_2f1c9a7be6d04c6f"}}, "/request/recipients"),
        ({"request": {**BODIES["mailings"], "options": {"run_at": "2030-01-01T00:00:00Z"}}}, "/request/options/run_at"),
        ({"late_by_at_most": 1}, "/late_by_at_most"),
        ({"request": None}, "/request"),
        ({"crn": ""}, "/crn"),
    ],
)
def test_what_is_wrong_is_pointed_at(mine: Tenant, other: dict[str, Any], where: str) -> None:
    """A 422 that names the field, at the making; nothing is kept."""
    answer = mine.client.post("/v1/schedules", json={**WEEKLY, **other})

    assert [where] == [error["pointer"] for error in problem(answer, "invalid-request")["errors"]]
    assert [] == mine.client.get("/v1/schedules").json()["items"]


def test_too_large_a_request(mine: Tenant) -> None:
    """It would lie in the ledger for as long as the schedule does."""
    answer = mine.client.post("/v1/schedules", json={**WEEKLY, "request": {**BODIES["mailings"], "text": "x" * 140_000}})

    assert "uploads" in problem(answer, "payload-too-large")["detail"]


def test_the_same_key_makes_one_schedule(mine: Tenant) -> None:
    """Replayed, and a mismatch for another body."""
    key = {"Idempotency-Key": '"weekly"'}
    first, second = (mine.client.post("/v1/schedules", json=WEEKLY, headers=key) for _ in range(2))
    other = mine.client.post("/v1/schedules", json={**WEEKLY, "paused": True}, headers=key)

    assert (201, 201, None, "true") == (
        first.status_code,
        second.status_code,
        *(a.headers.get("idempotent-replayed") for a in (first, second)),
    )
    assert first.json()["id"] == second.json()["id"]
    problem(other, "idempotency-mismatch")


def test_whose_it_is_and_who_may(desk: ApiDesk, mine: Tenant) -> None:
    """Another tenant finds nothing; reading and making take their scopes; a tenant has a thousand in a service at most."""
    made = make(mine)
    here = f"/v1/schedules/{made['id']}"
    with desk.tenant() as other, desk.tenant("read", name=mine.name) as reader, desk.tenant("submit", name=mine.name) as submitter:
        for method, path in (("GET", here), ("PATCH", here), ("DELETE", here), ("POST", f"{here}/run")):
            problem(other.client.request(method, path, json={} if method == "PATCH" else None), "not-found")
        assert [] == other.client.get("/v1/schedules").json()["items"]
        assert made == reader.client.get(here).json()
        for method, path in (("POST", "/v1/schedules"), ("PATCH", here), ("DELETE", here), ("POST", f"{here}/run")):
            problem(reader.client.request(method, path, json=WEEKLY), "forbidden")
        problem(submitter.client.get(here), "forbidden")
    ledger = desk.ledgers["mailer"]
    ledger.redis.zadd(f"{ledger.prefix}timetable:{mine.name}", {f"sch_mailer_{n:026}": 0 for n in range(schedules.MOST)})
    problem(mine.client.post("/v1/schedules", json=WEEKLY), "quota-exceeded")
    ledger.redis.delete(f"{ledger.prefix}timetable:{mine.name}")
