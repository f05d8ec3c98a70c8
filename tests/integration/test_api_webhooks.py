"""Webhooks through the gateway: submitted, listed, sent again; secrets made, rotated and dropped. The deliverer is a thread here."""

from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook

from shared.ledger.ids import service_of
from shared.webhooks.deliverer import Deliverer
from shared.webhooks.posting import Reach
from shared.webhooks.secrets import Signers
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant
from tests.integration.webhook_desk import LOOPBACK, SOON
from tests.integration.webhook_receiver import Receiver, receiving
from tests.servers import wait_until

NAME = "https://hooks.example.com"


@pytest.fixture
def receiver(desk: ApiDesk) -> Iterator[Receiver]:
    """A receiver that is reached as hooks.example.com, whatever the scheme: here, TLS would only be in the way."""
    ledger = desk.ledgers["avatar"]
    with receiving() as found:
        reach = Reach(LOOPBACK, 5.0, resolve=lambda *_: ["127.0.0.1"])
        deliverer = Deliverer(ledger, Signers(desk.redis_url), reach, backoff=SOON)
        deliverer.start()
        yield found
        deliverer.stop()
        deliverer.join(10)


def _hooked(desk: ApiDesk, mine: Tenant, receiver: Receiver, *events: str) -> str:
    """A job with a webhook that is asked for by https, and whose record then leads to the receiver without TLS."""
    job = mine.submit(webhook={"url": f"{NAME}/hook", **({"events": list(events)} if events else {})})["id"]
    key = f"{desk.ledgers[service_of(job)].prefix}job:{job}"
    desk.ledgers["avatar"].redis.hset(key, "webhook", receiver.url())
    return str(job)


def test_a_job_tells_how_it_ended(desk: ApiDesk, mine: Tenant, receiver: Receiver) -> None:
    """Without `events` a webhook tells of the end; what it says is what the event stream says, and a link."""
    secret = mine.client.post("/v1/webhooks/secrets").json()["secret"]
    job = _hooked(desk, mine, receiver)
    desk.succeed(job)
    wait_until(lambda: receiver.got != [], "the webhook")
    streamed = mine.client.get(f"/v1/jobs/{job}/events").json()[-1]
    told = Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)

    assert 1 == len(receiver.got)
    assert {"self": f"/v1/jobs/{job}"} == told["data"].pop("links")
    assert streamed == told


def test_deliveries_are_listed_and_sent_again(desk: ApiDesk, mine: Tenant, receiver: Receiver) -> None:
    """By job and state, newest first, by pages; each with its attempts. Another tenant sees none of it."""
    jobs = [_hooked(desk, mine, receiver) for _ in range(3)]
    for job in jobs:
        desk.fail(job)
    wait_until(lambda: len(mine.client.get("/v1/webhooks/deliveries?state=delivered").json()["items"]) == 3, "all three")
    first = mine.client.get("/v1/webhooks/deliveries?limit=2").json()
    second = mine.client.get("/v1/webhooks/deliveries", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    listed = [item["job"] for item in first["items"] + second["items"]]
    assert (list(reversed(jobs)), None) == (listed, second["next_cursor"])
    assert [] == mine.client.get("/v1/webhooks/deliveries", params={"state": "failed"}).json()["items"]
    (mail,) = mine.client.get("/v1/webhooks/deliveries", params={"job": jobs[0]}).json()["items"]
    assert ("job.failed", "delivered", 204) == (mail["type"], mail["state"], mail["last_attempt"]["status"])

    answer = mine.client.post(mail["links"]["resend"])
    assert (202, "pending") == (answer.status_code, answer.json()["state"])
    wait_until(lambda: len(receiver.got) == 4, "once more")
    wait_until(lambda: mine.client.get(mail["links"]["self"]).json()["state"] == "delivered", "and noted")
    attempts = mine.client.get(mail["links"]["self"]).json()["attempts"]
    assert [1, 2] == [attempt["number"] for attempt in attempts]
    with desk.tenant() as other:
        assert [] == other.client.get("/v1/webhooks/deliveries").json()["items"]
        assert [] == other.client.get("/v1/webhooks/deliveries", params={"job": jobs[0]}).json()["items"]
        for call in (other.client.get(mail["links"]["self"]), other.client.post(mail["links"]["resend"])):
            problem(call, "not-found")


def test_a_schedule_tells_too(mine: Tenant) -> None:
    """A job that a schedule makes has the webhook of its request."""
    request = {"seed": "ada", "options": {"webhook": {"url": f"{NAME}/weekly", "events": ["job.accepted"]}}}
    made = mine.client.post("/v1/schedules", json={"cron": "0 9 * * MON", "kind": "avatar.generate.v1", "request": request}).json()
    job = mine.client.post(made["links"]["run"]).json()["id"]
    (delivery,) = mine.client.get("/v1/webhooks/deliveries", params={"job": job}).json()["items"]

    assert (f"{NAME}/weekly", "job.accepted", "pending") == (delivery["url"], delivery["type"], delivery["state"])


def test_secrets_are_shown_once_and_rotated(mine: Tenant) -> None:
    """A new one takes over, the one before it signs on for as long as was asked; there are not more than five, and any can be dropped."""
    first = mine.client.post("/v1/webhooks/secrets").json()
    second = mine.client.post("/v1/webhooks/secrets", json={"others_expire_in": 60}).json()
    listed = mine.client.get("/v1/webhooks/secrets").json()["items"]

    assert first["secret"].startswith("whsec_")
    assert "secret" not in listed[0] | listed[1]
    assert {first["id"]: False, second["id"]: True} == {item["id"]: item["expires_at"] is None for item in listed}
    for _ in range(3):
        assert 201 == mine.client.post("/v1/webhooks/secrets").status_code
    problem(mine.client.post("/v1/webhooks/secrets"), "conflict")
    assert 204 == mine.client.delete(f"/v1/webhooks/secrets/{first['id']}").status_code
    problem(mine.client.delete(f"/v1/webhooks/secrets/{first['id']}"), "not-found")
    assert 201 == mine.client.post("/v1/webhooks/secrets", json={"others_expire_in": 0}).status_code
    assert 1 == len(mine.client.get("/v1/webhooks/secrets").json()["items"])


def test_scopes(desk: ApiDesk) -> None:
    """Secrets are an operator's; deliveries a reader's; sending again a submitter's."""
    with desk.tenant("read") as reader, desk.tenant("submit") as submitter:
        assert 200 == reader.client.get("/v1/webhooks/deliveries").status_code
        for call in (reader.client.post("/v1/webhooks/deliveries/avatar_1:1/resend"), submitter.client.get("/v1/webhooks/deliveries")):
            problem(call, "forbidden")
        for call in (reader.client.get("/v1/webhooks/secrets"), submitter.client.post("/v1/webhooks/secrets")):
            problem(call, "forbidden")
        problem(submitter.client.post("/v1/webhooks/deliveries/avatar_1:1/resend"), "not-found")
