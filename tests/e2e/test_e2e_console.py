"""The console as a person uses it: the real system behind it, a real Chromium in front of it."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import House
from tests.players.stage import missing, visit

SHOTS = os.environ.get("CONSOLE_SHOTS", "")
"""A folder for pictures of each page, for whoever wants to look at them."""
Step = tuple[str, Any]


@pytest.fixture(scope="module")
def inside(home: House) -> list[Step]:
    """The steps that sign a person in."""
    if why := missing():
        pytest.skip(why.replace("about playing HLS and DASH", "about the console"))
    key = (home.folder / "api-key").read_text().strip()
    return [("go", home.runtime["gateway_url"]), ("type", ("#key", key)), ("press", "Sign in"), ("see", "Workers")]


def shot(name: str) -> list[Step]:
    """A picture, where somebody wants one."""
    return [("shot", str(Path(SHOTS) / f"{name}.png"))] if SHOTS else []


def test_a_wrong_key_is_refused_and_kept_nowhere(inside: list[Step]) -> None:
    """And says so; a stranger sees the form and no figure."""
    report = visit(
        [
            inside[0],
            ("read", ("at first", "document.getElementById('main').innerText")),
            ("type", ("#key", "cf_wrong")),
            ("press", "Sign in"),
            ("see", "This key is not known"),
            ("read", ("kept", "sessionStorage.length + localStorage.length + document.cookie.length")),
            *shot("sign-in"),
        ]
    )

    assert report["errors"] == ["401 /v1/services"]
    assert report["read"]["kept"] == 0
    assert "avatar" not in report["read"]["at first"]


def test_services_and_workers_are_shown(inside: list[Step]) -> None:
    """All three, each with a worker that was heard of just now."""
    cards = "[...document.querySelectorAll('.card h2')].map((title) => title.innerText)"
    rows = "[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
    report = visit([*inside, ("read", ("cards", cards)), ("read", ("rows", rows)), *shot("services")])

    assert report["errors"] == []
    assert report["read"]["cards"] == ["avatar", "mailer", "transcoder"]
    assert sum("ago" in row for row in report["read"]["rows"]) >= 3


def test_a_job_is_handed_over_watched_and_its_picture_seen(inside: list[Step]) -> None:
    """From the form over its progress to the artifact, the events in order, and the trace of every process that had a part in it."""
    body = '{"prompt": "a grumpy robot with an antenna", "size": 128, "options": {"labels": {"from": "console"}}}'
    report = visit(
        [
            *inside,
            ("press", "Submit"),
            ("see", "Command and example"),
            ("fill", ("#body", body)),
            *shot("submit"),
            ("press", "Hand over"),
            ("wait", "document.querySelector('.state.succeeded')"),
            ("wait", "document.querySelector('.pictures img')?.naturalWidth === 128"),
            ("see", "process avatar"),
            ("read", ("events", "[...document.querySelectorAll('[aria-label=Events] tbody tr')].map((row) => row.cells[2].innerText)")),
            ("read", ("bar", "document.querySelector('progress').value")),
            ("read", ("label", "document.body.innerText.includes('from: console')")),
            ("read", ("spans", "[...document.querySelectorAll('.track .span')].every((bar) => bar.style.width)")),
            *shot("job"),
            ("press", "Jobs"),
            ("see", "avatar.generate.v1"),
            *shot("jobs"),
        ]
    )

    assert report["errors"] == []
    happened = [event for event in reversed(report["read"]["events"]) if event != "progressed"]
    assert happened == ["accepted", "started", "succeeded"]
    assert (report["read"]["bar"], report["read"]["label"], report["read"]["spans"]) == (1, True, True)


def test_what_is_wrong_with_a_request_is_told_by_its_field(inside: list[Step]) -> None:
    """The form stays as it is, and says where the fault lies."""
    report = visit(
        [
            *inside,
            ("press", "Submit"),
            ("see", "Command and example"),
            ("fill", ("#body", '{"prompt": "a cat", "size": 1}')),
            ("press", "Hand over"),
            ("see", "/size"),
        ]
    )

    assert report["errors"] == ["422 /v1/avatars"]


def test_a_dead_letter_is_sent_again_and_markup_in_it_stays_text(home: House, inside: list[Step]) -> None:
    """A film that is none: its failure is readable, retry and redrive fail again, and what a request says runs nothing."""
    evil = "<img src=x onerror=document.title='taken'>"
    not_a_film = home.folder.parent / "not-a-film.mp4"
    not_a_film.write_text("these are words", encoding="utf-8")
    source = home.upload(not_a_film, "video/mp4")
    job = home.submit("transcodes", {"source": source, "options": {"labels": {"why": evil}}})
    assert home.done(job)["state"] == "failed"
    report = visit(
        [
            *inside,
            ("press", "Dead letters"),
            ("see", job),
            *shot("dead-letters"),
            ("press", job),
            ("see", evil),
            ("read", ("title", "document.title")),
            ("read", ("images", "document.querySelectorAll('main img').length")),
            *shot("failed"),
            ("press", "Retry"),
            ("see", "redriven 1×"),
            ("wait", "document.querySelector('.state.failed')"),
            ("press", "Dead letters"),
            ("see", job),
            ("press", "Redrive"),
            ("wait", "!document.querySelector('button[disabled]')"),
        ]
    )

    assert report["errors"] == []
    assert (report["read"]["title"], report["read"]["images"]) == ("Counterfoil", 0)
    assert home.done(job)["epoch"] == 3


def test_a_long_job_shows_its_progress_and_can_be_cancelled(home: House, inside: list[Step]) -> None:
    """A film: the bar moves while it is encoded, and the button stops it."""
    source = home.upload(Path(__file__).parents[2] / "deploy" / "samples" / "bigbuckbunny.mp4", "video/mp4")
    outputs = [{"name": f"slow-{number}", "codec": "av1", "crf": 20 + number} for number in range(4)]
    job = home.submit("transcodes", {"source": source, "outputs": outputs})
    report = visit(
        [
            *inside,
            ("go", f"{home.runtime['gateway_url']}/console#/jobs/{job}"),
            ("wait", "document.querySelector('progress')?.value > 0.02"),
            ("see", "× real time"),
            *shot("running"),
            ("press", "Cancel"),
            ("wait", "document.querySelector('.state.canceled')"),
        ]
    )

    assert report["errors"] == []
    assert home.done(job)["state"] == "canceled"
