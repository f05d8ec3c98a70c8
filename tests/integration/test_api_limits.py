"""A key's limits: requests a minute with the RateLimit fields, and live jobs of its tenant."""

import httpx

from shared.ledger import calls
from tests.gateways import Gateway
from tests.integration.api_desk import BODIES, ApiDesk

BODY = {"seed": "ada"}


def limited(gateway: Gateway, tenant: str, **limits: int) -> httpx.Client:
    """A client with a new, limited key."""
    with gateway.client() as client:
        made = client.post("/v1/keys", json={"name": "limited", "tenant": tenant, "scopes": ["submit", "read"], "limits": limits})
    assert made.status_code == 201, made.text
    return gateway.client(made.json()["key"])


def test_a_key_over_its_rate_is_told_when_to_come_back(gateway: Gateway) -> None:
    """The bucket holds a minute's requests; an empty one is 429 with Retry-After and the RateLimit fields."""
    with limited(gateway, "rated", requests_per_minute=3) as client:
        answers = [client.get("/v1/jobs") for _ in range(4)]

    assert [200, 200, 200, 429] == [answer.status_code for answer in answers]
    assert ['"default";q=3;w=60'] * 4 == [answer.headers["ratelimit-policy"] for answer in answers]
    assert '"default";r=2;t=0' == answers[0].headers["ratelimit"]
    assert answers[3].headers["ratelimit"].startswith('"default";r=0;t=')
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert answers[3].json()["type"].endswith("/rate-limited")


def test_a_key_without_a_limit_has_no_fields(gateway: Gateway) -> None:
    """What is not limited is not announced."""
    with gateway.client() as client:
        answer = client.get("/v1/jobs")

    assert (200, False) == (answer.status_code, "ratelimit" in answer.headers)


def test_a_tenant_over_its_quota_makes_room_by_ending_a_job(gateway: Gateway) -> None:
    """live_jobs counts what is not done: 429 quota-exceeded, until a job ends; the refusal is not remembered for its key."""
    with limited(gateway, "quoted", live_jobs=2) as client:
        first = client.post("/v1/avatars", json=BODY).json()
        client.post("/v1/avatars", json=BODY)
        refused = client.post("/v1/avatars", json=BODY, headers={"Idempotency-Key": "again"})
        client.post(f"/v1/jobs/{first['id']}/cancel")
        accepted = client.post("/v1/avatars", json=BODY, headers={"Idempotency-Key": "again"})

    assert (429, 202) == (refused.status_code, accepted.status_code)
    assert refused.json()["type"].endswith("/quota-exceeded")


def test_a_keys_cap_on_running_jobs_goes_with_its_jobs(gateway: Gateway, desk: ApiDesk) -> None:
    """running_jobs is held to at the claim: with one of two, the second's doorbell is ignored; /v1/services tells that it is held back."""
    with limited(gateway, "slotted", running_jobs=1) as client:
        made = [client.post("/v1/mailings", json={**BODIES["mailings"], "options": {"priority": "low"}}).json()["id"] for _ in range(2)]
        desk.claim(made[0])
        second = desk.run(made[1], calls.claim(made[1], worker="w", pid=1, lease_ms=60_000, nonce="slotted"))
        [mailer] = [service for service in client.get("/v1/services").json()["items"] if service["name"] == "mailer"]

    assert calls.Answer("capped", "queued") == second
    assert [1] == [queue["held_back"] for queue in mailer["queues"] if queue["name"] == "mailer.low"]
    assert {"running": None, "running_per_tenant": None} == mailer["limits"]
