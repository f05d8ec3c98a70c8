"""What operators look at: services, health, metrics, traces; and a ledger that goes away and comes back."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.ledger import calls
from tests.gateways import Gateway, problem
from tests.integration.api_desk import BODIES, ApiDesk, Tenant
from tests.servers import Server, gateway_server, redis_server, running, wait_until


def test_services(desk: ApiDesk, mine: Tenant) -> None:
    """Each with its commands and their schemas, queues, counts and workers."""
    waiting = mine.submit("transcodes", priority="low")["id"]
    told = {"host": "h", "pid": 7, "name": "w@h", "slots": 2, "queues": ["transcoder"]}
    desk.run(waiting, calls.renew("w@h", lease_ms=1_000, info=told))
    items = {item["name"]: item for item in mine.client.get("/v1/services").json()["items"]}
    found = items["transcoder"]
    (worker,) = found["workers"]
    low = next(queue for queue in found["queues"] if queue["name"] == "transcoder.low")

    assert {"avatar", "mailer", "transcoder"} == set(items)
    assert {("/v1/avatars", "avatar.generate.v1")} == {(c["route"], c["kind"]) for c in items["avatar"]["commands"]}
    assert "source" in found["commands"][0]["schema"]["properties"]
    assert found["available"]
    assert low["depth"] >= 1
    assert low["oldest_age"] >= 0
    assert {"running", "retrying", "dead_letters"} <= set(found)
    assert ("w@h", "h", 7, 2, 0, ["transcoder"]) == tuple(worker[name] for name in ("name", "host", "pid", "slots", "busy", "queues"))
    assert worker["heartbeat_at"].endswith("Z")


def test_services_are_lean_for_who_looks_often(desk: ApiDesk, mine: Tenant) -> None:
    """Gzipped where that is taken; without details the same less what changes with a release; a catalogue one has costs a 304."""
    catalogue = {"styles": [f"style number {number}" for number in range(400)]}
    ledger = desk.ledgers["avatar"]
    ledger.redis.set(f"{ledger.prefix}catalogue", json.dumps(catalogue))
    whole, plain = (mine.client.get("/v1/services", headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity, gzip;q=0"))
    lean = mine.client.get("/v1/services?details=false")
    avatar = next(item for item in lean.json()["items"] if item["name"] == "avatar")
    first = mine.client.get(avatar["links"]["catalogue"])
    again = mine.client.get(avatar["links"]["catalogue"], headers={"If-None-Match": first.headers["etag"]})

    assert ("gzip", None) == (whole.headers.get("content-encoding"), plain.headers.get("content-encoding"))
    assert int(whole.headers["content-length"]) * 3 < int(plain.headers["content-length"])
    assert catalogue == first.json() == next(item for item in whole.json()["items"] if item["name"] == "avatar")["catalogue"]
    assert {"catalogue"} == set(whole.json()["items"][0]) - set(lean.json()["items"][0])
    assert [{"kind": "avatar.generate.v1", "route": "/v1/avatars"}] == avatar["commands"]
    assert (304, b"") == (again.status_code, again.content)
    assert 404 == mine.client.get("/v1/services/nobody/catalogue").status_code


def test_the_open_routes_need_no_key(desk: ApiDesk) -> None:
    """Health, metrics and documentation answer anybody."""
    with desk.gateway.client("") as client:
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json"):
            assert 200 == client.get(path).status_code, path


def test_metrics(desk: ApiDesk, mine: Tenant) -> None:
    """Prometheus text: requests by route, and each service's figures."""
    mine.submit()
    with desk.gateway.client("") as client:
        answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert 'route="/v1/avatars",status="202"' in answer.text
    assert 'counterfoil_ledger_up{service="mailer"} 1.0' in answer.text


def test_a_jobs_trace(mine: Tenant) -> None:
    """The gateway's server span with its send span below it, of the job's trace id."""
    job = mine.submit()
    path = job["links"]["trace"]
    wait_until(lambda: len(mine.client.get(path).json()["spans"]) >= 2, "the gateway's spans are written", seconds=60)
    trace = mine.client.get(path).json()
    spans = {span["name"]: span for span in trace["spans"]}

    assert job["trace_id"] == trace["trace_id"]
    assert {"POST /v1/avatars", "send avatar"} <= set(spans)
    assert spans["POST /v1/avatars"]["span"] == spans["send avatar"]["parent"]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[Server, Gateway]]:
    """A lasting ledger, and a gateway of its own."""
    with (
        running(redis_server(tmp_path / "redis", appendonly=True)) as ledger,
        running(gateway_server(tmp_path / "home", f"redis://127.0.0.1:{ledger.port}/0")) as server,
    ):
        yield ledger, Gateway(server, tmp_path / "home")


def test_a_ledger_that_goes_and_comes_back(mortal: tuple[Server, Gateway]) -> None:
    """While it is down every route says 503 `unavailable` with Retry-After, /readyz names it; then all is as before."""
    ledger, gateway = mortal
    with gateway.client() as client, gateway.client("") as nobody:
        job = client.post("/v1/avatars", json=BODIES["avatars"], headers={"Idempotency-Key": "k"}).json()["id"]
        routes = _routes(job)
        ledger.stop()
        for method, path, body in routes:
            answer = client.request(method, path, json=body)
            problem(answer, "unavailable")

            assert int(answer.headers["retry-after"]) > 0, path
        ready = problem(nobody.get("/readyz"), "unavailable")
        services = {item["name"]: item["available"] for item in client.get("/v1/services").json().get("items", [])}

        assert {"ledger": "no answer", "broker": "no answer"} == ready["checks"]["avatar"]
        assert "avatar: ledger" in ready["detail"]
        assert services in ({}, {"avatar": False, "mailer": False, "transcoder": False})  # {}: the key's three seconds are over
        assert 200 == nobody.get("/livez").status_code
        assert 'counterfoil_ledger_up{service="avatar"} 0.0' in nobody.get("/metrics").text
        ledger.start()
        wait_until(lambda: nobody.get("/readyz").status_code == 200, "ready again", seconds=60)
        again = client.post("/v1/avatars", json=BODIES["avatars"], headers={"Idempotency-Key": "k"})

        assert (202, job, "true") == (again.status_code, again.json()["id"], again.headers["idempotent-replayed"])
        assert "queued" == client.get(f"/v1/jobs/{job}").json()["state"]


def _routes(job: str) -> list[tuple[str, str, object]]:
    here = f"/v1/jobs/{job}"
    return [
        *(("POST", f"/v1/{route}", body) for route, body in BODIES.items()),
        *(("GET", path, None) for path in (here, f"{here}/events", f"{here}/trace", f"{here}/artifacts/a", "/v1/jobs")),
        *(("POST", f"{here}/{verb}", None) for verb in ("cancel", "retry")),
        ("DELETE", here, None),
        ("GET", "/v1/dead-letters", None),
        ("GET", f"/v1/dead-letters/{job}", None),
        ("DELETE", f"/v1/dead-letters/{job}", None),
        ("POST", f"/v1/dead-letters/{job}/redrive", None),
        ("POST", "/v1/dead-letters/redrive", {"service": "avatar"}),
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "x", "scopes": ["read"]}),
        ("DELETE", "/v1/keys/key_0123456789abcdef", None),
    ]


def test_a_stream_breaks_off_with_the_ledger_and_resumes(mortal: tuple[Server, Gateway]) -> None:
    """It never says that a job ended which did not; after the restart the reader goes on behind its last event."""
    ledger, gateway = mortal
    with gateway.client() as client:
        job = client.post("/v1/avatars", json=BODIES["avatars"]).json()["id"]
        path, wanted = f"/v1/jobs/{job}/events", {"Accept": "text/event-stream"}
        seen: list[str] = []
        with client.stream("GET", path, headers=wanted) as answer:
            lines = answer.iter_lines()
            seen.append(next(line for line in lines if line.startswith("id:")))
            ledger.stop()
            with pytest.raises(httpx.RemoteProtocolError):
                seen += [line for line in lines if line.startswith("id:")]
        ledger.start()
        wait_until(lambda: client.get("/readyz").status_code == 200, "ready again", seconds=60)
        canceled = client.post(f"/v1/jobs/{job}/cancel")
        assert canceled.status_code == 202, canceled.text
        with client.stream("GET", path, headers={**wanted, "Last-Event-ID": "1"}) as answer:
            seen += [line for line in answer.iter_lines() if line.startswith("id:")]

        assert ["id: 1", "id: 2"] == seen
