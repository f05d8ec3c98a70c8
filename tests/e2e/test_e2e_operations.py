"""What operators do: dead letters, doctor, traces, and a clean end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.house import PATIENCE, House, house
from tests.servers import ROOT, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]


def test_a_failure_is_mended_from_the_dead_letters(home: House) -> None:
    """The entry names the reason; with a mended request the same job succeeds."""
    job_id = home.submit("avatars", {"seed": "ada", "style": "no-such-style"})
    failed = home.done(job_id)
    entry = home.http.get(f"/v1/dead-letters/{job_id}").raise_for_status().json()
    redriven = home.http.post(f"/v1/dead-letters/{job_id}/redrive", json={"request": {"seed": "ada", "style": "bottts"}})
    mended = home.done(job_id)

    assert ("failed", 1) == (failed["state"], failed["attempt"])
    assert ("permanent", "unknown-style", False) == (entry["reason"], entry["error"]["type"], entry["error"]["retryable"])
    assert "no-such-style" in entry["error"]["detail"]
    assert 202 == redriven.status_code
    assert ("succeeded", 2) == (mended["state"], mended["epoch"])
    assert 404 == home.http.get(f"/v1/dead-letters/{job_id}").status_code


def test_doctor_finds_nothing(home: House) -> None:
    """`counterfoil doctor` exits 0."""
    env = {**os.environ, "COUNTERFOIL_HOME": str(home.folder), "COUNTERFOIL_URL": home.runtime["gateway_url"]}
    found = subprocess.run(
        [sys.executable, "-m", "client.cli", "doctor"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr


def test_every_service_has_a_beat(home: House) -> None:
    """Each service's built-in schedules run in a Beat of its own, whose every line is JSON from the first on."""
    logs = [home.folder / "logs" / f"{service}-beat.log" for service in ("avatar", "mailer", "transcoder")]
    wait_until(lambda: all(log.exists() and log.read_text().endswith("\n") for log in logs), "every Beat has spoken", seconds=PATIENCE)

    told = [[json.loads(line)["event"] for line in log.read_text().splitlines()] for log in logs]

    assert ["beat_ready"] * 3 == [events[0] for events in told]
    assert {"beat_ready", "schedule_ticked"} >= {event for events in told for event in events}


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("avatars", {"prompt": "a happy fox", "size": 64}),
        ("mailings", {"from": {"email": "n@example.com"}, "subject": "x", "text": "x", "recipients": [{"email": "trace@example.com"}]}),
    ],
)
def test_a_trace_is_one_tree(home: House, route: str, body: dict[str, object]) -> None:
    """From the caller's span through gateway, send and process down to the domain's steps, every parent is there."""
    trace, caller = os.urandom(16).hex(), "b7ad6b7169203331"
    job_id = home.submit(route, body, traceparent=f"00-{trace}-{caller}-01")
    service = job_id.partition("_")[0]
    home.done(job_id)
    spans: list[dict[str, str]] = []

    def complete() -> bool:
        spans[:] = [span for span in home.http.get(f"/v1/jobs/{job_id}/trace").json()["spans"] if span["trace"] == trace]
        process = {span["span"] for span in spans if span["name"] == f"process {service}"}
        return any(span["parent"] in process for span in spans) and any(span["parent"] == caller for span in spans)

    wait_until(complete, "all processes' spans are written", seconds=PATIENCE)
    ids = {span["span"]: span for span in spans}
    by_name = {span["name"]: span for span in spans}
    roots = [span for span in spans if span["parent"] not in ids]

    assert [(f"POST /v1/{route}", caller)] == [(span["name"], span["parent"]) for span in roots]
    assert roots[0]["span"] == by_name[f"send {service}"]["parent"]
    assert ("producer", "consumer") == (by_name[f"send {service}"]["kind"], by_name[f"process {service}"]["kind"])
    assert by_name[f"send {service}"]["span"] in {span["parent"] for span in spans if span["name"] == f"process {service}"}


def test_a_clean_end(tmp_path: Path) -> None:
    """SIGTERM ends a home with idle workers: status 0, no process left; and its jobs are there at the next start."""
    folder = tmp_path / "home"
    with house(folder) as first:
        job_id = first.submit("avatars", {"seed": "ada", "options": {"run_at": "2200-01-01T00:00:00Z"}})
        everyone = first.alive()
        status = first.stop()
        left = first.alive()
    with house(folder) as second:
        kept = second.job(job_id)

    assert len(everyone) >= 9
    assert (0, []) == (status, left)
    assert "queued" == kept["state"]
