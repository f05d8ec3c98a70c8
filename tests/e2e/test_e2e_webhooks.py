"""A webhook from end to end: submitted over HTTP, delivered by the home's own process, which is killed in between."""

import pytest
from standardwebhooks.webhooks import Webhook

from tests.e2e.house import PATIENCE, House
from tests.integration.webhook_receiver import receiving
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]


def test_a_receiver_is_told_whoever_is_killed(home: House) -> None:
    """Each job tells how it ended, signed with the tenant's secret, also after the SIGKILL of what delivers."""
    secret = home.http.post("/v1/webhooks/secrets").json()["secret"]
    with receiving() as receiver:
        body = {"seed": "ada", "size": 32, "options": {"webhook": {"url": receiver.url()}}}
        first = home.submit("avatars", body)
        noted = f"/v1/webhooks/deliveries?job={first}&state=delivered"
        wait_until(lambda: home.http.get(noted).json()["items"], "the first webhook, and the note of it", seconds=PATIENCE)
        for process in home.alive():
            if "shared.webhooks" in process.cmdline():
                process.kill()
        second = home.submit("avatars", body)
        wait_until(lambda: len(receiver.got) == 2, "the second webhook", seconds=PATIENCE)

    told = [Webhook(secret).verify(got.body, got.headers) for got in receiver.got]
    assert [(first, "job.succeeded"), (second, "job.succeeded")] == [(event["subject"], event["type"]) for event in told]
