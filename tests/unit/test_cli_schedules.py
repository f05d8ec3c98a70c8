"""`counterfoil schedules` against a scripted gateway."""

import json
from typing import Any

import httpx
import pytest

from client.cli.main import main
from tests.unit.client_gateway import JOB, Answer, Gateway

SCHEDULE: dict[str, Any] = {
    "id": "sch_mailer_01JD0000000000000000000000",
    "service": "mailer",
    "kind": "mailer.mailing.v1",
    "cron": "0 9 * * MON",
    "timezone": "Europe/Berlin",
    "paused": False,
    "request": {"subject": "Hi"},
    "next_run_at": "2026-11-30T08:00:00.000Z",
    "next_runs": ["2026-11-30T08:00:00.000Z"],
    "last_runs": [{"scheduled_for": "2026-11-23T08:00:00.000Z", "outcome": "skipped", "detail": "late", "count": 2}],
}
ID = SCHEDULE["id"]


def run(words: list[str], *answers: Answer) -> tuple[int, Gateway]:
    """The exit code, and the gateway with what it was asked."""
    gateway = Gateway(*answers)
    return main(["schedules", *words], lambda _url, _key: gateway.client()), gateway


def test_create_takes_a_request_as_submit_does(capsys: pytest.CaptureFixture[str]) -> None:
    """The kind by its short name, the request by fields, the time by cron."""
    words = ["create", "mailing", "subject=Hi", "--cron", "0 9 * * MON", "--timezone", "Europe/Berlin", "--late-by-at-most", "600"]
    code, gateway = run(words, httpx.Response(201, json=SCHEDULE))

    assert (0, ["POST /v1/schedules"]) == (code, gateway.calls())
    assert json.loads(gateway.asked[0].content) == {
        "kind": "mailer.mailing.v1",
        "request": {"subject": "Hi"},
        "cron": "0 9 * * MON",
        "timezone": "Europe/Berlin",
        "paused": False,
        "late_by_at_most": 600,
    }
    assert f"{ID}\tmailer.mailing.v1\t0 9 * * MON\tEurope/Berlin" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "asked", "sent"),
    [
        (["pause", ID], f"PATCH /v1/schedules/{ID}", {"paused": True}),
        (["resume", ID], f"PATCH /v1/schedules/{ID}", {"paused": False}),
        (["change", ID, "--cron", "@", "--request", '{"a":1}'], f"PATCH /v1/schedules/{ID}", {"cron": "@", "request": {"a": 1}}),
        (["show", ID], f"GET /v1/schedules/{ID}", None),
        (["delete", ID], f"DELETE /v1/schedules/{ID}", None),
    ],
)
def test_what_is_asked(words: list[str], asked: str, sent: dict[str, Any] | None) -> None:
    """One call each."""
    code, gateway = run(words, httpx.Response(200, json=SCHEDULE))
    body = gateway.asked[0].content

    assert (0, [asked], sent) == (code, gateway.calls(), json.loads(body) if body else None)


def test_run_prints_the_jobs_id_and_list_the_last_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts, and for people."""
    run(["run", ID], httpx.Response(202, json=JOB))
    run(["list"], httpx.Response(200, json={"items": [SCHEDULE], "next_cursor": None}))
    printed = capsys.readouterr().out.splitlines()

    assert [JOB["id"], ID] == [line.split("\t")[0] for line in printed]
    assert "skipped late" in printed[1]


def test_a_change_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With what could be said."""
    code, _ = run(["change", ID])

    assert (2, True) == (code, "--cron" in capsys.readouterr().err)
