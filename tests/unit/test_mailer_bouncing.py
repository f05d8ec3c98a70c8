"""Bounces from the Maildir to the suppression list and into their mailing's files."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from services.mailer.bouncing import NOTED, collect
from services.mailer.concluding import conclude
from services.mailer.maildir import Maildir
from services.mailer.mime import message_key
from services.mailer.settings import MailerSettings
from services.mailer.verp import ReturnPaths
from shared.contracts.mailer import SUPPRESSIONS, CollectBounces
from shared.job import PastJob
from shared.unsubscribing import PATH, Leaving, Links
from tests.unit.mailer_bounces import COMPLAINT, FakeCaretaker, dsn
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, register_of, run_children

PEOPLE = ("ada", "bob", "cy", "dan")


@pytest.fixture
def done(tmp_path: Path) -> FakeJob:
    """A mailing to four people that is over."""
    command = mailing(subject="Hi", html="<p>x</p>", recipients=[{"email": f"{name}@example.com"} for name in PEOPLE], dry_run=True)
    settings = MailerSettings(home=tmp_path)
    children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    job = FakeJob(tmp_path, ended=children)
    conclude(command, job, children)
    return job


def back(job: FakeJob, name: str) -> str:
    """The return path of the mail to `name`."""
    return ReturnPaths(job.secret("bounce"), "bounces@b.example").address(MAILING, message_key(MAILING, f"{name}@example.com"))


def look(tmp_path: Path, past: PastJob | None) -> tuple[Any, FakeCaretaker]:
    """One look at the Maildir."""
    care = FakeCaretaker(tmp_path, {past.id: past} if past else {})
    settings = MailerSettings(home=tmp_path, bounce_address="bounces@b.example", bounce_maildir=tmp_path / "mail")
    return collect(CollectBounces(), FakeJob(tmp_path, id="mailer_sweep", takes_care=care), settings), care


def test_bounces_suppress_and_are_told_in_the_mailings_files(tmp_path: Path, done: FakeJob) -> None:
    """Hard and complaint suppress, soft is told only; what is not ours or not understood is kept; all is counted."""
    maildir = Maildir(tmp_path / "mail")
    maildir.make()
    maildir.add(dsn(back(done, "ada"), "ada@example.com"))
    maildir.add(dsn(back(done, "bob"), "bob@example.com", status="5.2.2", said="552 5.2.2 full"))
    token = Links(done.secret("unsubscribe")).token(Leaving("test", MAILING, "cy@example.com"))
    maildir.add(COMPLAINT.format(back="", path=PATH + token).encode())
    maildir.add(dsn(back(done, "dan"), "forwarded@elsewhere.example"))
    maildir.add(dsn("bounces+" + "a" * 52 + "@b.example", "eve@example.com"))
    maildir.add(b"Subject: lunch?\n\nAt one?\n")
    register_of(tmp_path, "test", SUPPRESSIONS).keep({"ada@example.com": {"reason": "unsubscribed", "at": 1}})  # a bounce stands above it
    result, care = look(tmp_path, PastJob(MAILING, "test", True, done.artifacts))
    rows = {row["email"]: row for row in csv.DictReader(done.artifact("recipients.csv").splitlines())}
    lines = [json.loads(line) for line in done.artifact("recipients.jsonl").splitlines()]
    listed = register_of(tmp_path, "test", SUPPRESSIONS).facts

    assert (result.read, result.hard, result.soft, result.complaint, result.unparsed, result.amended) == (6, 2, 1, 1, 2, 1)
    assert care.counts == {"bounce_hard": 2, "bounce_soft": 1, "bounce_complaint": 1, "bounce_unparsed": 2}
    assert {address: fact["reason"] for address, fact in listed.items()} == {
        "ada@example.com": "hard-bounce",
        "cy@example.com": "complaint",
        "dan@example.com": "hard-bounce",  # the report named another; the mailing's own file knew
    }
    assert listed["ada@example.com"]["mailing"] == MAILING
    assert rows["ada@example.com"]["bounce"] == "hard 5.1.1 550 5.1.1 no such user"
    assert rows["bob@example.com"]["bounce"] == "soft 5.2.2 552 5.2.2 full"
    assert {line["email"].partition("@")[0]: line.get("bounce", "").partition(" ")[0] for line in lines} == {
        "ada": "hard",
        "bob": "soft",
        "cy": "complaint",
        "dan": "hard",
    }
    assert rows["ada@example.com"]["state"] == "rendered"
    assert register_of(tmp_path, "system", NOTED).facts == {}
    assert (len(list((tmp_path / "mail" / ".unparsed" / "new").iterdir())), len(list((tmp_path / "mail" / "cur").iterdir()))) == (2, 0)


def test_what_comes_back_while_the_mailing_runs_waits_for_its_end(tmp_path: Path, done: FakeJob) -> None:
    """Suppressed at once, told when the files are there; a second bounce of one mail changes nothing."""
    maildir = Maildir(tmp_path / "mail")
    maildir.make()
    maildir.add(dsn(back(done, "ada"), "ada@example.com"))
    running, _ = look(tmp_path, PastJob(MAILING, "test", False, ()))
    assert (running.hard, running.waiting, running.amended) == (1, 1, 0)
    assert list(register_of(tmp_path, "test", SUPPRESSIONS).facts) == ["ada@example.com"]

    maildir.add(dsn(back(done, "ada"), "ada@example.com", status="5.2.2"))
    over, _ = look(tmp_path, PastJob(MAILING, "test", True, done.artifacts))
    assert (over.waiting, over.amended) == (0, 1)
    assert ",hard 5.1.1 550 5.1.1 no such user," in done.artifact("recipients.csv")

    maildir.add(dsn(back(done, "bob"), "bob@example.com", status="5.2.2"))
    look(tmp_path, PastJob(MAILING, "test", True, done.artifacts))
    assert done.artifact("recipients.csv").splitlines()[0].endswith(",bounce,bounce_time")
    assert sorted(line.count("hard") + line.count("soft") for line in done.artifact("recipients.csv").splitlines()[1:]) == [0, 0, 1, 1]


def test_a_bounce_of_a_mailing_that_is_forgotten_is_kept_for_people(tmp_path: Path, done: FakeJob) -> None:
    """Nobody is suppressed on a tenant's list that is not known."""
    Maildir(tmp_path / "mail").make()
    Maildir(tmp_path / "mail").add(dsn(back(done, "ada"), "ada@example.com"))
    result, _ = look(tmp_path, None)

    assert (result.hard, result.unparsed) == (0, 1)
