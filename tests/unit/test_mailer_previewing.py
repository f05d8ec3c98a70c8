"""One mail for its author's eyes, and a test to addresses of one's own."""

from pathlib import Path
from typing import Any

import pytest

from services.mailer.content import from_command
from services.mailer.planning import rows
from services.mailer.previewing import preview
from services.mailer.rows import Rejected
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import PreviewMailing
from tests.unit.mailer_job import FakeJob, mailing

TWO: list[dict[str, Any]] = [
    {"email": "ada@example.com", "vars": {"name": "Ada"}},
    {"email": "Bob@Example.com", "vars": {"name": "Bob & Co"}},
]


def shown(tmp_path: Path, **fields: Any) -> Any:
    """The preview of such a mailing."""
    given = mailing(recipients=TWO).model_dump(mode="json", by_alias=True, exclude_unset=True)
    command = PreviewMailing.model_validate({**given, **fields})
    return preview(command, FakeJob(tmp_path), MailerSettings(home=tmp_path))


def test_what_the_mail_will_be(tmp_path: Path) -> None:
    """Subject, both parts, headers, size, of the first recipient or of one by name; and what the preflight says."""
    first, other = shown(tmp_path), shown(tmp_path, like="bob@example.com")

    assert ("ada@example.com", "Hi Ada", "Hello Ada\n") == (first.email, first.subject, first.text)
    assert ("Hi Bob & Co", True) == (other.subject, "<p>Hello Bob &amp; Co</p>" in other.html)
    assert {"From", "To", "Subject", "Message-ID", "Date"} <= dict(first.headers).keys()
    assert (True, {"unsubscribe", "dkim", "text-derived"}) == (first.bytes > 300, {each.rule for each in first.preflight.findings})


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"like": "eve@example.com"}, "/like"),
        ({"subject": "Hi {{ nmae }}"}, "/subject"),
        ({"text": "Hi {% if %}"}, "/text"),
        ({"recipients": [{"email": "a@example.com"}], "subject": "x", "html": "{{ name }}"}, "/html"),
    ],
)
def test_what_is_wrong_is_an_answer(tmp_path: Path, fields: dict[str, Any], pointer: str) -> None:
    """No failure of the job, which would lie among the dead letters."""
    result = shown(tmp_path, **fields)

    assert pointer == result.problem.pointer
    assert result.problem.detail


def test_a_test_goes_to_oneself(tmp_path: Path) -> None:
    """To these addresses only, with one recipient's values, and marked."""
    command = mailing(recipients=TWO, test={"to": ["me@example.org", "you@example.org"], "like": "bob@example.com"})
    found = [row for row in rows(command, FakeJob(tmp_path)) if not isinstance(row, Rejected)]
    content = from_command(command, FakeJob(tmp_path), MailerSettings(home=tmp_path))

    assert [("me@example.org", "Bob & Co"), ("you@example.org", "Bob & Co")] == [(row.address, row.recipient.vars["name"]) for row in found]
    assert ("[Test] Hi {{ name }}", "true") == (content.subject, content.headers["X-Counterfoil-Test"])
