"""Looking at jobs, waiting for them, listing, cancelling, retrying and deleting them; and who may."""

import threading
import time
from collections.abc import Callable

import httpx
import pytest

from shared.ledger import calls
from shared.storage import job_folder
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant
from tests.servers import wait_until


def test_a_job_from_start_to_end(desk: ApiDesk, mine: Tenant) -> None:
    """Every state shows what the contract says of it."""
    job = mine.submit()["id"]
    token = desk.claim(job)
    desk.progress(job, token, 0.42)
    running = mine.job(job)
    desk.succeed(job, token=token, a_png=b"x")
    done = mine.job(job)

    assert ("running", False, 1) == (running["state"], running["done"], running["attempt"])
    assert {"fraction": 0.42, "step": "encode", "detail": "", "eta_seconds": 3.0} == running["progress"]
    assert ("succeeded", True, 1.0, {"ok": True}, None) == (
        done["state"], done["done"], done["progress"]["fraction"], done["result"], done["error"],
    )  # fmt: skip
    assert ["a.png"] == [artifact["name"] for artifact in done["artifacts"]]
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert all(done[name].endswith("Z") for name in ("created_at", "started_at", "finished_at"))


def test_a_failure_says_why(desk: ApiDesk, mine: Tenant) -> None:
    """A retried job shows when it runs again; a failed one shows error and attempts."""
    later, never = mine.submit()["id"], mine.submit()["id"]
    desk.fail(later, "the relay is busy", retryable=True)
    desk.fail(never)
    retrying, failed = mine.job(later), mine.job(never)

    assert ("retrying", False) == (retrying["state"], retrying["done"])
    assert retrying["run_at"] > retrying["created_at"]
    assert ("failed", True) == (failed["state"], failed["done"])
    assert ("bad-input", False, "the input is broken") == tuple(failed["error"][name] for name in ("type", "retryable", "detail"))
    assert [(1, "failed", "the input is broken")] == [(a["number"], a["outcome"], a["reason"]) for a in failed["error"]["attempts"]]


def test_a_wait_ends_with_the_job(desk: ApiDesk, mine: Tenant) -> None:
    """`Prefer: wait` answers as soon as the job is done, far before its time."""
    job = mine.submit()["id"]
    token = desk.claim(job)
    answers: list[httpx.Response] = []
    waiter = threading.Thread(target=lambda: answers.append(mine.client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=25"})))
    waiter.start()
    redis = desk.ledgers["avatar"].redis
    wait_until(lambda: dict(redis.pubsub_numsub("cf:{avatar}:feed"))["cf:{avatar}:feed"] > 0, "the gateway listens")
    ended = time.monotonic()
    desk.succeed(job, token=token)
    waiter.join(25)

    assert "succeeded" == answers[0].json()["state"]
    assert "wait=25" == answers[0].headers["preference-applied"]
    assert "retry-after" not in answers[0].headers
    assert time.monotonic() - ended < 15


def test_a_wait_is_over_after_its_time(mine: Tenant) -> None:
    """An unfinished job comes back as it is."""
    job = mine.submit()["id"]
    answer = mine.client.get(f"/v1/jobs/{job}", headers={"Prefer": "respond-async, wait=1"})

    assert ("queued", "1") == (answer.json()["state"], answer.headers["retry-after"])
    assert answer.elapsed.total_seconds() >= 1


def test_a_wait_for_a_done_job_is_no_wait(desk: ApiDesk, mine: Tenant) -> None:
    """It answers at once."""
    job = mine.submit()["id"]
    desk.succeed(job)
    answer = mine.client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=25"})

    assert answer.json()["done"]
    assert answer.elapsed.total_seconds() < 15


def test_the_list_is_newest_first_across_services(mine: Tenant) -> None:
    """Page by page it has every job once, of all services, in the order they came."""
    made = [mine.submit(route)["id"] for _ in range(4) for route in ("avatars", "mailings", "transcodes")]
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = mine.client.get("/v1/jobs", params={"limit": 5, "cursor": cursor}).json()
        assert len(page["items"]) <= 5
        listed += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]

    assert made[::-1] == listed


def test_the_list_is_filtered(desk: ApiDesk, mine: Tenant) -> None:
    """By service, state and any number of labels, together or alone; paging holds to the filter."""
    red = [mine.submit(route, labels={"colour": "red", "n": str(n)})["id"] for n in range(3) for route in ("avatars", "mailings")]
    blue = mine.submit(labels={"colour": "blue:ish"})["id"]
    desk.succeed(red[0])

    def ids(**params: str | list[str]) -> set[str]:
        found: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            page = mine.client.get("/v1/jobs", params={**params, "limit": "2", "cursor": cursor}).json()
            found |= {job["id"] for job in page["items"]}
            cursor = page["next_cursor"]
        return found

    assert {*red, blue} == ids()
    assert {*red[::2], blue} == ids(service="avatar")
    assert {red[0]} == ids(state="succeeded")
    assert {*red[1:], blue} == ids(state="queued")
    assert set(red) == ids(label="colour:red")
    assert {blue} == ids(label="colour:blue:ish")
    assert {red[2], red[3]} == ids(label=["colour:red", "n:1"])
    assert {red[0]} == ids(service="avatar", state="succeeded", label="n:0")
    assert set() == ids(label="n:7")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("service=shop", "/query/service"),
        ("state=lost", "/query/state"),
        ("label=colour", "/query/label"),
        ("label=:red", "/query/label"),
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("limit=x", "/query/limit"),
        ("cursor=!", "/query/cursor"),
    ],
)
def test_a_bad_filter_is_pointed_at(mine: Tenant, query: str, where: str) -> None:
    """A 422 that names the parameter."""
    found = problem(mine.client.get(f"/v1/jobs?{query}"), "invalid-request")

    assert [where] == [error["pointer"] for error in found["errors"]]


def test_cancel(desk: ApiDesk, mine: Tenant) -> None:
    """A queued job is canceled at once, a running one canceling until it stops; again is harmless; a done one is a 409."""
    queued, running, done = (mine.submit()["id"] for _ in range(3))
    token = desk.claim(running)
    desk.succeed(done)

    def cancel(job: str) -> httpx.Response:
        return mine.client.post(f"/v1/jobs/{job}/cancel")

    first, second, third = cancel(queued), cancel(running), cancel(running)
    desk.run(running, calls.canceled(running, token))

    assert (202, "canceled", True) == (first.status_code, first.json()["state"], first.json()["done"])
    assert (202, "canceling", False) == (second.status_code, second.json()["state"], second.json()["done"])
    assert (202, second.json()) == (third.status_code, third.json())
    assert "canceled" == mine.job(running)["state"]
    assert ["accepted", "started", "canceling", "canceled"] == mine.types(running)
    problem(cancel(done), "conflict")
    problem(cancel(queued), "conflict")


def test_retry_opens_an_epoch(desk: ApiDesk, mine: Tenant) -> None:
    """A failed or canceled job is queued again, with a fresh count of attempts; others refuse."""
    failed, canceled, succeeded, queued = (mine.submit()["id"] for _ in range(4))
    desk.fail(failed)
    mine.client.post(f"/v1/jobs/{canceled}/cancel")
    desk.succeed(succeeded)
    for job in (failed, canceled):
        again = mine.client.post(f"/v1/jobs/{job}/retry")

        assert (202, "queued", False, 2, 0, None) == (
            again.status_code, *(again.json()[name] for name in ("state", "done", "epoch", "attempt", "error")),
        )  # fmt: skip
    for job in (succeeded, queued):
        problem(mine.client.post(f"/v1/jobs/{job}/retry"), "conflict")
    desk.succeed(failed)

    assert ["accepted", "started", "failed", "redriven", "started", "succeeded"] == mine.types(failed)
    assert [] == mine.client.get("/v1/dead-letters").json()["items"]


def test_delete_forgets_everything(desk: ApiDesk, mine: Tenant) -> None:
    """A done job goes with its events and bytes; a live one is refused."""
    job, live = mine.submit()["id"], mine.submit()["id"]
    desk.succeed(job, hls__master_m3u8=b"#EXTM3U")
    kept = {entry.key for entry in desk.storage.list(job_folder(job))}
    answer = mine.client.delete(f"/v1/jobs/{job}")

    assert len(kept) == 1
    assert (204, b"") == (answer.status_code, answer.content)
    assert [] == list(desk.storage.list(job_folder(job)))
    for path in ("", "/events", "/artifacts/hls/master.m3u8", "/trace"):
        problem(mine.client.get(f"/v1/jobs/{job}{path}"), "not-found")
    assert [live] == [found["id"] for found in mine.client.get("/v1/jobs").json()["items"]]
    problem(mine.client.delete(f"/v1/jobs/{live}"), "conflict")
    problem(mine.client.delete(f"/v1/jobs/{job}"), "not-found")


ON_A_JOB: list[tuple[str, str, str]] = [
    ("GET", "", "read"),
    ("GET", "/events", "read"),
    ("GET", "/trace", "read"),
    ("GET", "/artifacts/a.png", "read"),
    ("HEAD", "/artifacts/a.png", "read"),
    ("POST", "/cancel", "submit"),
    ("POST", "/retry", "submit"),
    ("DELETE", "", "operate"),
]
ELSEWHERE = [
    ("POST", "/v1/avatars", "submit"),
    ("POST", "/v1/mailings", "submit"),
    ("POST", "/v1/transcodes", "submit"),
    ("GET", "/v1/jobs", "read"),
    ("GET", "/v1/services", "read"),
    ("GET", "/v1/dead-letters", "operate"),
    ("GET", "/v1/dead-letters/avatar_x", "operate"),
    ("DELETE", "/v1/dead-letters/avatar_x", "operate"),
    ("POST", "/v1/dead-letters/avatar_x/redrive", "operate"),
    ("POST", "/v1/dead-letters/redrive", "operate"),
    ("GET", "/v1/keys", "operate"),
]


def _refused(answer: httpx.Response, slug: str) -> None:
    if answer.request.method == "HEAD":
        assert {"unauthenticated": 401, "forbidden": 403, "not-found": 404}[slug] == answer.status_code
    else:
        problem(answer, slug)


def _everywhere(job: str, ask: Callable[[str, str, str], None]) -> None:
    for method, path, scope in [*((method, f"/v1/jobs/{job}{rest}", scope) for method, rest, scope in ON_A_JOB), *ELSEWHERE]:
        ask(method, path, scope)


def test_another_tenants_job_is_not_there(desk: ApiDesk, mine: Tenant) -> None:
    """404 on every route of a job, the same as for a job that never was; it is in no list; and nothing happened to it."""
    job = mine.submit()["id"]
    desk.succeed(job, a_png=b"x")
    before = mine.job(job)
    with desk.tenant() as other:
        for method, rest, _ in ON_A_JOB:
            _refused(other.client.request(method, f"/v1/jobs/{job}{rest}"), "not-found")
        listed = other.client.get("/v1/jobs").json()["items"]

    assert [] == listed
    assert before | {"artifacts": []} == mine.job(job) | {"artifacts": []}


def test_each_route_wants_its_scope(desk: ApiDesk, mine: Tenant) -> None:
    """A key with the two other scopes gets a 403 that names the missing one; no key a 401 with a challenge."""
    job = mine.submit()["id"]
    scopes = {"submit", "read", "operate"}
    lacking = {scope: desk.gateway.client(desk.gateway.make_key(mine.name, *(scopes - {scope}))) for scope in scopes}
    nobody = desk.gateway.client("")

    def ask(method: str, path: str, scope: str) -> None:
        _refused(answer := lacking[scope].request(method, path), "forbidden")
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]
        _refused(answer := nobody.request(method, path), "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    _everywhere(job, ask)
    for client in (nobody, *lacking.values()):
        client.close()


@pytest.mark.parametrize(
    "job", ["avatar_01HZZZZZZZZZZZZZZZZZZZZZZZ", "avatar_x", "shop_01HZZZZZZZZZZZZZZZZZZZZZZZ", "x", "_", "avatar_%00", "%F0%9F"]
)
def test_an_unknown_job_is_404(mine: Tenant, job: str) -> None:
    """Well-formed or not, of a service or none."""
    for method, rest, _ in ON_A_JOB:
        _refused(mine.client.request(method, f"/v1/jobs/{job}{rest}"), "not-found")
