"""The pure parts of webhooks: signatures, bodies, schedule, headers."""

import json
import random
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.contracts.events import EventType
from shared.errors import SettingsError
from shared.ledger.deliveries import Taken
from shared.settings import PlatformSettings
from shared.webhooks import message, secrets, signing
from shared.webhooks.backoff import Backoff
from shared.webhooks.posting import retry_after

JOB = "avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX"
DAY = 86_400


def _taken(event_type: EventType = EventType.SUCCEEDED, **data: object) -> Taken:
    event = json.dumps({"type": str(event_type), "time": 1_700_000_000_000, "data": data})
    return Taken(f"{JOB}:7", 1, 0, 0, "t", "https://hooks.example.com/x", "avatar.generate.v1", {"traceparent": "00-1-2-01"}, event)


@given(body=st.text(st.characters(exclude_categories=["Cs"])))
def test_an_independent_implementation_accepts_our_signature(body: str) -> None:
    """Standard Webhooks' own library verifies with either secret of a rotation, and with no other."""
    old, new, other = signing.new_secret(), signing.new_secret(), signing.new_secret()
    headers = signing.headers([new, old], f"{JOB}:7", int(time.time()), body.encode())

    for secret in (old, new):
        Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body + "x", headers, json_parse=False)


def test_body_is_the_event_with_a_link() -> None:
    """A CloudEvent with the event's number, as event streams have it, and where to find the job."""
    told = json.loads(message.body(_taken(result={"ok": True}), "https://jobs.example.com"))

    assert ("1.0", "job.succeeded", f"{JOB}:7", 7) == (told["specversion"], told["type"], told["id"], told["seq"])
    links = {"self": f"https://jobs.example.com/v1/jobs/{JOB}"}
    assert {"job": JOB, "service": "avatar", "kind": "avatar.generate.v1", "result": {"ok": True}, "links": links} == told["data"]


def test_a_result_that_the_event_leaves_out_is_named() -> None:
    """Above 8 kB the ledger keeps the result out of the event: the body says so."""
    assert ["result"] == json.loads(message.body(_taken(result=None)))["data"]["left_out"]


@given(parts=st.dictionaries(st.sampled_from(["result", "error", "reason", "step"]), st.text(max_size=60).map(lambda text: text * 400)))
def test_no_body_reaches_20_kb(parts: dict[str, str]) -> None:
    """Whatever an event holds: the largest members go first, and are named."""
    body = message.body(_taken(EventType.FAILED, **parts))
    data = json.loads(body)["data"]

    assert len(body) < 20_000
    assert sorted(data.get("left_out", [])) == sorted(name for name in parts if data[name] is None)


def test_tries_go_on_for_a_day_and_no_longer() -> None:
    """Standard Webhooks' times, ten percent either way, and a last try when the day is over."""
    backoff, rng, at, delays = Backoff(), random.Random(1), 0.0, list[float]()
    while (delay := backoff.following(len(delays) + 1, at, rng=rng)) is not None:
        delays.append(delay)
        at += delay

    assert delays[:6] == [pytest.approx(wanted, rel=0.1) for wanted in (5, 300, 1_800, 7_200, 18_000, 36_000)]
    assert 7 == len(delays)
    assert at == pytest.approx(DAY)


@pytest.mark.parametrize(
    ("asked", "elapsed", "waits"), [(1_000.0, 0.0, 1_000.0), (1.0, 0.0, 5.0), (1e9, 80_000.0, 6_400.0), (0.0, DAY, None)]
)
def test_a_receiver_may_ask_for_more_time_within_the_day(asked: float, elapsed: float, waits: float | None) -> None:
    """`Retry-After` lengthens a delay, never shortens it."""
    found = Backoff().following(1, elapsed, retry_after=asked)

    assert found == (waits if waits is None else pytest.approx(waits, rel=0.1))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    """Seconds or a date; anything else says nothing."""
    assert seconds == retry_after(header, datetime(2026, 10, 21, 7, 27, tzinfo=UTC))


def test_secrets_that_are_over_sign_nothing() -> None:
    """Of a tenant's secrets the valid ones are used, the newest first."""
    kept = [json.dumps({"id": f"whs_{n}", "secret": "whsec_eA==", "created": n, "expires": end}) for n, end in enumerate([50, 200, None])]

    assert ["whs_2", "whs_1"] == [secret.id for secret in secrets.read(kept, now=100)]


def test_networks_must_be_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is none refuses to start with a sentence."""
    monkeypatch.setenv("COUNTERFOIL_WEBHOOK_NETWORKS", "10.0.0.1/8")

    with pytest.raises(SettingsError, match=r"10\.0\.0\.1/8"):
        PlatformSettings()
