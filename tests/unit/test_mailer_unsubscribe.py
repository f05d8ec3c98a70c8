"""One-click links: one for each recipient, that nobody can make up or read."""

import email
import email.policy
from pathlib import Path

import pytest

from gateway.tracing import shown_path
from services.mailer.content import from_command, open_content
from services.mailer.planning import plan_mailing
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import Recipient
from shared.errors import PermanentError, SettingsError
from shared.settings import PlatformSettings
from shared.unsubscribing import LONGEST, PATH, Leaving, Links
from tests.unit.mailer_job import MAILING, FakeJob, mailing

ADA = Leaving("acme", "mailer_01JD", "ada@xn--bcher-kva.example")


def test_a_token_says_who_and_only_the_secrets_holder_reads_it() -> None:
    """The same each time, without the address in it; altered, cut, of another secret or no token at all, it says nothing."""
    links = Links(b"s" * 64)
    token = links.token(ADA)

    assert links.opened(token) == ADA
    assert token == links.token(ADA)
    assert "ada" not in token
    assert Links(b"t" * 64).opened(token) is None
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert [links.opened(bad) for bad in (flipped, token[1:], "", "☃", "a", "A" * (LONGEST + 1))] == [None] * 6


def test_a_link_is_not_shown_in_logs() -> None:
    """Whoever reads the log could unsubscribe people."""
    assert shown_path(f"{PATH}abc_-x") == f"{PATH}…"


def test_each_recipient_gets_a_link_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both headers of RFC 8058 and, where the template asks for it, in both bodies; a row cannot put another in its place."""
    monkeypatch.setenv("COUNTERFOIL_PUBLIC_URL", "https://mail.example.com/")
    command = mailing(subject="Hi", html='<p>Hello</p><a href="{{ unsubscribe_url }}">No more of these</a>', list_unsubscribe="one-click")
    job = FakeJob(tmp_path)
    stashed = job.stash("content.json", from_command(command, job, MailerSettings(home=tmp_path)).model_dump_json().encode())
    _, writer = open_content(stashed, MAILING, job)
    recipient = Recipient(email="ada@example.com", vars={"unsubscribe_url": "https://evil.example/"})
    mail = email.message_from_bytes(writer.write(recipient, *writer.key(recipient)), policy=email.policy.default)
    link = str(mail["List-Unsubscribe"]).strip("<>")

    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link.startswith(f"https://mail.example.com{PATH}")
    assert Links(job.secret("unsubscribe")).opened(link.rpartition("/")[2]) == Leaving("test", MAILING, "ada@example.com")
    assert [link in str(part.get_content()) for part in mail.iter_parts()] == [True, True]


@pytest.mark.parametrize(
    ("url", "transactional", "pointer"), [("", False, "/list_unsubscribe"), ("https://mail.example.com", True, "/transactional")]
)
def test_a_link_that_would_lead_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, pointer: str, *, transactional: bool
) -> None:
    """Before anybody is mailed, with a pointer."""
    monkeypatch.setenv("COUNTERFOIL_PUBLIC_URL", url)
    command = mailing(list_unsubscribe="one-click", transactional=transactional)
    with pytest.raises(PermanentError) as refused:
        plan_mailing(command, FakeJob(tmp_path), MailerSettings(home=tmp_path))

    assert refused.value.pointer == pointer


@pytest.mark.parametrize("url", ["http://mail.example.com", "mail.example.com", "https://", "https://a.example/?x=1", "ftp://localhost"])
def test_a_public_url_that_mails_cannot_use_refuses_to_start(url: str) -> None:
    """RFC 8058 wants https."""
    with pytest.raises(SettingsError, match="COUNTERFOIL_PUBLIC_URL"):
        PlatformSettings(public_url=url)
