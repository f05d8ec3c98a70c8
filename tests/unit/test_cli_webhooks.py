"""`counterfoil webhooks` against a scripted gateway."""

import json
from typing import Any

import httpx
import pytest

from client.cli.main import main
from tests.unit.client_gateway import JOB, Answer, Gateway

ID = "avatar_01JD0000000000000000000000:3"
ATTEMPT = {"number": 2, "at": "2026-11-23T08:00:00.000Z", "outcome": "failed", "status": 503, "reason": "it answered 503", "seconds": 0.1}
DELIVERY: dict[str, Any] = {
    "id": ID,
    "job": ID.partition(":")[0],
    "type": "job.succeeded",
    "url": "https://hooks.example.com/x",
    "state": "pending",
    "next_attempt_at": "2026-11-23T08:05:00.000Z",
    "last_attempt": ATTEMPT,
}
SECRET = {"id": "whs_1", "created_at": "2026-11-23T08:00:00.000Z", "expires_at": None}


def run(words: list[str], *answers: Answer) -> tuple[int, Gateway]:
    """The exit code, and the gateway with what it was asked."""
    gateway = Gateway(*answers)
    return main(words, lambda _url, _key: gateway.client()), gateway


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    """What was told to whom, how the last attempt ended and when the next one is; one of them with all attempts."""
    page = httpx.Response(200, json={"items": [DELIVERY], "next_cursor": None})
    code, gateway = run(["webhooks", "list", "--state", "pending", "--job", DELIVERY["job"]], page)
    asked = dict(gateway.asked[0].url.params)
    assert (0, DELIVERY["job"], "pending") == (code, asked["job"], asked["state"])
    assert f"{ID}\tjob.succeeded\tpending\t2\t503" in capsys.readouterr().out

    code, _ = run(["webhooks", "show", ID], httpx.Response(200, json={**DELIVERY, "attempts": [ATTEMPT]}))
    assert 0 == code
    assert "it answered 503" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "asked", "answer"),
    [
        (["resend", ID], f"POST /v1/webhooks/deliveries/{ID}/resend", httpx.Response(202, json=DELIVERY)),
        (["secrets"], "GET /v1/webhooks/secrets", httpx.Response(200, json={"items": [SECRET]})),
        (["drop-secret", "whs_1"], "DELETE /v1/webhooks/secrets/whs_1", httpx.Response(204)),
    ],
)
def test_what_is_asked(words: list[str], asked: str, answer: httpx.Response) -> None:
    """Each action is one request."""
    code, gateway = run(["webhooks", *words], answer)

    assert (0, [asked]) == (code, gateway.calls())


def test_a_secret_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone on standard output, so that it can be piped to where it belongs."""
    code, gateway = run(
        ["webhooks", "make-secret", "--others-expire-in", "60"], httpx.Response(201, json={**SECRET, "secret": "whsec_eA=="})
    )

    assert (0, {"others_expire_in": 60}) == (code, json.loads(gateway.asked[0].content))
    assert "whsec_eA==\n" == capsys.readouterr().out


def test_a_submission_may_name_a_receiver() -> None:
    """`--webhook`, and `--webhook-event` for each event; the latter alone makes no sense."""
    words = ["submit", "avatar", "seed=ada", "--webhook", "https://hooks.example.com/x", "--webhook-event", "job.started"]
    code, gateway = run(words, httpx.Response(202, json=JOB))
    assert 0 == code
    assert {"url": "https://hooks.example.com/x", "events": ["job.started"]} == json.loads(gateway.asked[0].content)["options"]["webhook"]

    assert 2 == run(["submit", "avatar", "seed=ada", "--webhook-event", "job.started"])[0]
