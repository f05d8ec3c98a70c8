"""Dead letters: listed, looked at, redriven as they were or mended, one or many, and let go."""

import json
import time
import uuid
from typing import Any

import pytest

from shared.ledger import calls, dead, ids
from tests.gateways import problem
from tests.integration.api_desk import BODIES, ApiDesk, Tenant


@pytest.fixture
def failed(desk: ApiDesk, mine: Tenant) -> str:
    """A job in the dead letters."""
    job = str(mine.submit(labels={"n": "1"})["id"])
    desk.fail(job)
    return job


def test_an_entry_tells_everything(mine: Tenant, failed: str) -> None:
    """The message as received, reason, last error, attempt log, trace id."""
    (listed,) = mine.client.get("/v1/dead-letters").json()["items"]
    entry = mine.client.get(f"/v1/dead-letters/{failed}").json()

    assert listed == entry
    assert (failed, failed, "avatar", "avatar.generate.v1", "permanent") == tuple(
        entry[name] for name in ("id", "job", "service", "kind", "reason")
    )
    assert "the input is broken" == entry["error"]["detail"]
    assert [(1, "failed", "the input is broken")] == [(a["number"], a["outcome"], a["reason"]) for a in entry["attempts"]]
    assert mine.job(failed)["request"] == entry["message"]["command"]
    assert mine.job(failed)["trace_id"] == entry["trace_id"]


def test_the_list_is_filtered_and_paged(desk: ApiDesk, mine: Tenant) -> None:
    """By service, reason and kind; newest first; every entry once, also where several died in the same millisecond."""
    made = [mine.submit(route)["id"] for _ in range(3) for route in ("avatars", "mailings")]
    moment = 1_700_000_000_000
    for job in made:
        record = desk.run(job, calls.claim(job, worker="w", pid=1, lease_ms=60_000, nonce=uuid.uuid4().hex), now=moment)
        error = {"type": "t", "title": "t", "detail": "d", "retryable": True}
        again = calls.fail(job, record.token, error, retryable=job.startswith("mailer"), delay_ms=0, policy_attempts=1)
        desk.run(job, again, now=moment)

    def listed(**params: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = mine.client.get("/v1/dead-letters", params={**params, "limit": "2", "cursor": cursor}).json()
            found += [entry["id"] for entry in page["items"]]
            cursor = page["next_cursor"]
        return found

    assert sorted(made) == sorted(listed())
    assert sorted(made[::2]) == sorted(listed(service="avatar")) == sorted(listed(reason="permanent"))
    assert sorted(made[1::2]) == sorted(listed(kind="mailer.mailing.v1")) == sorted(listed(reason="exhausted"))
    assert [] == listed(reason="worker_lost")
    problem(mine.client.get("/v1/dead-letters?service=shop"), "invalid-request")
    problem(mine.client.get("/v1/dead-letters?cursor=x"), "invalid-request")


def test_redrive_as_it_was(desk: ApiDesk, mine: Tenant, failed: str) -> None:
    """A new epoch with the same request; the entry is gone; a second redrive finds none."""
    answer = mine.client.post(f"/v1/dead-letters/{failed}/redrive")

    assert (202, failed, "queued", 2, BODIES["avatars"]["seed"]) == (
        answer.status_code, *(answer.json()[name] for name in ("id", "state", "epoch")), answer.json()["request"]["seed"],
    )  # fmt: skip
    problem(mine.client.get(f"/v1/dead-letters/{failed}"), "not-found")
    problem(mine.client.post(f"/v1/dead-letters/{failed}/redrive"), "not-found")
    desk.succeed(failed)
    assert "succeeded" == mine.job(failed)["state"]


def test_redrive_mended(desk: ApiDesk, mine: Tenant, failed: str) -> None:
    """The worker gets the mended request."""
    answer = mine.client.post(f"/v1/dead-letters/{failed}/redrive", json={"request": {"seed": "eve", "size": 64}})
    record = desk.run(failed, calls.read(failed))

    assert (202, {"seed": "eve", "size": 64}) == (answer.status_code, answer.json()["request"])
    assert {"seed": "eve", "size": 64} == json.loads(record.text("request"))


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"request": {"seed": "eve", "size": 1}}, "/request/size"),
        ({"request": {"seed": "eve", "colour": "red"}}, "/request/colour"),
        ({"request": {}}, "/request"),
        ({"request": {"photo": "upl_2f1c9a7be6d04c6f"}}, "/request/photo"),
        ({"request": {"seed": "e", "options": {"webhook": {"url": "https://example.com"}}}}, "/request/options/webhook"),
        ({"request": "seed"}, "/request"),
        ({"reqest": {}}, "/reqest"),
        ([], ""),
        (None, ""),
    ],
)
def test_a_bad_mend_is_pointed_at(mine: Tenant, failed: str, body: Any, where: str) -> None:
    """A 422, and the entry is still there."""
    answer = mine.client.post(f"/v1/dead-letters/{failed}/redrive", content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert [where] == [error["pointer"] for error in problem(answer, "invalid-request")["errors"]]
    assert 200 == mine.client.get(f"/v1/dead-letters/{failed}").status_code


def test_redrive_many(desk: ApiDesk, mine: Tenant) -> None:
    """A dry run only counts; the real one redrives what matches, of this tenant, and no other, and no faster than it was told."""
    broken = [mine.submit()["id"] for _ in range(3)]
    for job in broken:
        desk.fail(job)
    with desk.tenant() as other:
        theirs = other.submit()["id"]
        desk.fail(theirs)
        body = {"service": "avatar", "filter": {"reason": "permanent"}, "dry_run": True, "max_per_second": 1_000}
        dry = mine.client.post("/v1/dead-letters/redrive", json=body)
        none = mine.client.post("/v1/dead-letters/redrive", json={**body, "filter": {"reason": "exhausted"}, "dry_run": False})
        began = time.monotonic()
        wet = mine.client.post("/v1/dead-letters/redrive", json={**body, "dry_run": False, "max_per_second": 10})

        assert (202, 3, 0, True, []) == (dry.status_code, *(dry.json()[n] for n in ("matched", "redriven", "dry_run", "jobs")))
        assert (0, 0) == (none.json()["matched"], none.json()["redriven"])
        assert (202, 3, 3, False) == (wet.status_code, *(wet.json()[name] for name in ("matched", "redriven", "dry_run")))
        assert time.monotonic() - began >= 0.2, "three at ten a second were redriven at once"
        assert sorted(broken) == sorted(wet.json()["jobs"])
        assert {"queued"} == {mine.job(job)["state"] for job in broken}
        assert "failed" == other.job(theirs)["state"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "/service"),
        ({"service": "shop"}, "/service"),
        ({"service": "avatar", "max_per_second": 0}, "/max_per_second"),
        ({"service": "avatar", "max_per_second": 1e-300}, "/max_per_second"),
        ({"service": "avatar", "filter": {"colour": "red"}}, "/filter/colour"),
        ({"service": "avatar", "dry_run": "perhaps"}, "/dry_run"),
    ],
)
def test_a_bad_redrive_of_many_is_pointed_at(mine: Tenant, body: Any, where: str) -> None:
    """A 422 with the guilty member."""
    found = problem(mine.client.post("/v1/dead-letters/redrive", json=body), "invalid-request")

    assert [where] == [error["pointer"] for error in found["errors"]]


def test_delete_lets_go(mine: Tenant, failed: str) -> None:
    """The entry goes; its job stays, failed."""
    answer = mine.client.delete(f"/v1/dead-letters/{failed}")

    assert 204 == answer.status_code
    problem(mine.client.get(f"/v1/dead-letters/{failed}"), "not-found")
    problem(mine.client.delete(f"/v1/dead-letters/{failed}"), "not-found")
    assert "failed" == mine.job(failed)["state"]


def test_another_tenants_entry_is_not_there(desk: ApiDesk, failed: str) -> None:
    """404 on every route, and not in the list."""
    with desk.tenant() as other:
        problem(other.client.get(f"/v1/dead-letters/{failed}"), "not-found")
        problem(other.client.delete(f"/v1/dead-letters/{failed}"), "not-found")
        problem(other.client.post(f"/v1/dead-letters/{failed}/redrive"), "not-found")

        assert [] == other.client.get("/v1/dead-letters").json()["items"]


def test_a_malformed_message_can_be_mended(desk: ApiDesk) -> None:
    """What never became a job is the owner's to see, and becomes a job once it says something sensible."""
    entry = ids.new("avatar")
    received = {"reason": "malformed", "kind": "avatar.generate.v1", "message": "{bad", "error": {"detail": "no JSON"}}
    desk.run(entry, dead.bury(entry, received))
    with desk.gateway.client() as owner:
        shown = owner.get(f"/v1/dead-letters/{entry}").json()
        bare = problem(owner.post(f"/v1/dead-letters/{entry}/redrive"), "invalid-request")
        bad = problem(owner.post(f"/v1/dead-letters/{entry}/redrive", json={"request": {"size": "x"}}), "invalid-request")
        mended = owner.post(f"/v1/dead-letters/{entry}/redrive", json={"request": {"seed": "ada"}})

        assert ("malformed", "{bad", None) == (shown["reason"], shown["message"], shown["job"])
        assert ["/request"] == [error["pointer"] for error in bare["errors"]]
        assert {"/request/size"} <= {error["pointer"] for error in bad["errors"]}
        assert (202, "queued", {"seed": "ada"}) == (mended.status_code, mended.json()["state"], mended.json()["request"])
        problem(owner.get(f"/v1/dead-letters/{entry}"), "not-found")
