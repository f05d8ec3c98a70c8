"""Nobody on the tenant's suppression list is mailed, at one round trip for a group."""

import csv
from pathlib import Path

import pytest

from services.mailer.batch import send_batch
from services.mailer.concluding import conclude
from services.mailer.settings import MailerSettings
from services.mailer.suppression import FRESH, Lookout
from shared.contracts.mailer import SUPPRESSIONS, SendBatch
from shared.mailboxes import folded, normalise
from tests.unit.job_effects import FakeRegister
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, register_of, run_children

GONE = {"reason": "unsubscribed", "at": 1_764_000_000_000, "mailing": "mailer_01"}
DEAD = {"reason": "hard-bounce", "at": 1_764_000_000_000, "note": "5.1.1"}


def test_suppressed_recipients_are_left_out_and_listed_with_the_reason(tmp_path: Path) -> None:
    """A dry run and the mailing's counts say so; case and script of the address do not matter."""
    register_of(tmp_path, "test", SUPPRESSIONS).keep({folded(normalise("Ada@BÜCHER.example")): GONE, "bob@example.com": DEAD})
    people = [{"email": "ada@xn--bcher-kva.example"}, {"email": "Bob@example.com"}, {"email": "cy@example.com"}]
    command = mailing(subject="Hi", html="<p>Hello</p>", recipients=people, dry_run=True)
    settings = MailerSettings(home=tmp_path)
    children = run_children(plan(command, FakeJob(tmp_path), settings), tmp_path, settings)
    job = FakeJob(tmp_path, ended=children)
    result = conclude(command, job, children)
    rows = [(row["email"], row["state"], row["reply"]) for row in csv.DictReader(job.artifact("recipients.csv").splitlines())]

    assert rows[:2] == [
        ("ada@xn--bcher-kva.example", "suppressed", "unsubscribed on 2025-11-24, mailer_01"),
        ("Bob@example.com", "suppressed", "hard-bounce on 2025-11-24: 5.1.1"),
    ]
    assert (rows[2][1], result.recipients, result.suppressed, result.rendered) == ("rendered", 3, 2, 1)


def test_a_transactional_mail_reaches_who_unsubscribed_but_no_dead_mailbox(tmp_path: Path) -> None:
    """A password reset was asked for; a bounce is one whatever was asked for."""
    register_of(tmp_path, "test", SUPPRESSIONS).keep({"ada@example.com": GONE, "bob@example.com": DEAD})
    people = [{"email": "ada@example.com"}, {"email": "bob@example.com"}]
    command = mailing(subject="Hi", html="<p>Hello</p>", recipients=people, dry_run=True, transactional=True)
    settings = MailerSettings(home=tmp_path)
    child = next(iter(plan(command, FakeJob(tmp_path), settings).children)).command
    assert isinstance(child, SendBatch)

    result = send_batch(child, FakeJob(tmp_path, id=f"{MAILING}.0"), settings)

    assert (result.rendered, result.suppressed) == (1, 1)


def test_an_answer_is_asked_for_anew_when_it_is_no_longer_fresh() -> None:
    """Whoever unsubscribes while a slow batch is under way is left out of its rest; a fast one costs one look a group."""
    register, now = FakeRegister(), [100.0]
    lookout = Lookout(register, transactional=False, clock=lambda: now[0])
    lookout.expect(f"u{number}@example.com" for number in range(4))

    assert [lookout.why("u0@example.com"), lookout.why("u1@example.com")] == ["", ""]
    assert len(register.looks) == 1
    register.keep({"u2@example.com": GONE, "u3@example.com": GONE})
    assert lookout.why("u2@example.com") == ""
    now[0] += FRESH + 0.1
    assert lookout.why("u3@example.com").startswith("unsubscribed")
    assert register.looks[1:] == [["u3@example.com"]]


@pytest.mark.parametrize("address", ["ADA@Example.COM", "ada@EXAMPLE.com"])
def test_the_list_folds_the_local_part_too(address: str) -> None:
    """Mailings keep its case on the wire; the list does not."""
    assert folded(normalise(address)) == "ada@example.com"
