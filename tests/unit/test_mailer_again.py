"""A mailing that was cut short says so of everybody, and can be sent to those who are without it."""

import csv
import json
from pathlib import Path

import pytest

from services.mailer.again import DEEPEST, listed
from services.mailer.concluding import conclude
from services.mailer.mime import message_key
from services.mailer.planning import rows
from services.mailer.rows import Rejected
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import RecipientsOf, SendMailing, Who
from shared.contracts.states import State
from shared.errors import PermanentError
from shared.job import ChildResult, FanOut, Note
from shared.past import Past
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan, run_children

OTHER = MAILING[:-1] + "B"
STATES = ["sent", "failed", "unknown", "suppressed", "canceled", "rendered"]


def past(tmp_path: Path, command: SendMailing, told: list[tuple[str, str]], mailing_id: str = OTHER) -> Past:
    """A mailing that is over, and what it said of whom."""
    job = FakeJob(tmp_path, id=mailing_id)
    lines = "".join(json.dumps({"email": email, "state": state, "reply": ""}) + "\n" for email, state in told)
    made = job.publish("recipients.jsonl", lines.encode(), "application/x-ndjson")
    request = command.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return Past(mailing_id, SendMailing.kind, State.CANCELED, request, [made], {})


def people(count: int) -> list[dict[str, object]]:
    """So many recipients: u0, u1 and so on, whose names differ."""
    return [{"email": f"U{n}@Example.com", "vars": {"name": f"N {n}"}} for n in range(count)]


@pytest.mark.parametrize(("who", "wanted"), [("failed", [1]), ("missed", [1, 4, 5]), ("unknown", [2])])
def test_those_of_an_earlier_mailing(tmp_path: Path, who: Who, wanted: list[int]) -> None:
    """In their order, with the values that they had, once each, also through a chain of mailings; rejected rows do not come again."""
    command = mailing(recipients=[*people(6), {"email": "u0@example.com"}])
    first = past(tmp_path, command, [(f"U{n}@Example.com", state) for n, state in enumerate(STATES)])
    again = mailing(recipients={"mailing": OTHER, "who": who})
    job = FakeJob(tmp_path, earlier={OTHER: first})

    found = list(rows(again, job))
    assert [(f"U{n}@Example.com", {"name": f"N {n}"}) for n in wanted] == [
        (row.recipient.email, row.recipient.vars) for row in found if not isinstance(row, Rejected)
    ]
    third = MAILING[:-1] + "C"
    job.earlier = {OTHER: first, third: past(tmp_path, again, [(f"U{wanted[0]}@Example.com", "failed")], third)}
    assert [f"U{wanted[0]}@example.com"] == [
        row.address for row in listed(RecipientsOf(mailing=third, who="failed"), job) if not isinstance(row, Rejected)
    ]


def test_who_cannot_be_told(tmp_path: Path) -> None:
    """No such mailing, one that ended before it could say, one that goes round in circles: each its sentence, at the field."""
    again = mailing(recipients={"mailing": OTHER, "who": "missed"})
    job = FakeJob(tmp_path, earlier={})
    silent = past(tmp_path, mailing(), [])
    for earlier, words in (
        ({}, "there is no mailing"),
        ({OTHER: Past(OTHER, SendMailing.kind, State.FAILED, silent.request, [], {})}, "before it could say who got it"),
        ({OTHER: Past(OTHER, "mailer.sweep.v1", State.SUCCEEDED, b"{}", [], {})}, "there is no mailing"),
        ({OTHER: past(tmp_path, again, [])}, f"more than {DEEPEST}"),
    ):
        job.earlier = earlier
        with pytest.raises(PermanentError, match=words) as refused:
            list(rows(again, job))
        assert "/recipients/mailing" == refused.value.pointer


def test_a_cancelled_mailing_tells_of_everybody(tmp_path: Path) -> None:
    """Of three batches one was through, one was stopped within, one never began: who is in which state, and the counts."""
    settings = MailerSettings(home=tmp_path)
    command = mailing(recipients=people(6), batch_size=2, dry_run=True)
    planned = plan(command, FakeJob(tmp_path), settings)
    (first,) = run_children(FanOut(list(planned.children)[:1]), tmp_path, settings)
    stopped = [ChildResult(f"{MAILING}.{n}", n, State.CANCELED, None, None, []) for n in (1, 2)]
    # What the second one had noted before it was stopped: u2 was sent, u3's answer never came.
    FakeJob(tmp_path, id=f"{MAILING}.1").effects().note(
        [
            Note(message_key(MAILING, "U2@example.com"), "done", ["A", 1.0, "250 ok", 0]),
            Note(message_key(MAILING, "U3@example.com"), "begin", 1.0),
        ]
    )
    job = FakeJob(tmp_path, ended=[first, *stopped], canceled=True)
    result = conclude(command.model_copy(update={"on_unknown": "ask", "dry_run": False}), job, job.ended or [])
    table = [(row["email"][:2], row["state"]) for row in csv.DictReader(job.artifact("recipients.csv").splitlines())]

    assert [("U0", "rendered"), ("U1", "rendered"), ("U2", "sent"), ("U3", "unknown"), ("U4", "canceled"), ("U5", "canceled")] == table
    assert (6, 1, 1, 2, 2) == (result.recipients, result.sent, result.unknown, result.canceled, result.rendered)
