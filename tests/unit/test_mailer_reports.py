"""What a mail that came back says, and which mail it is about."""

import pytest

from services.mailer.mime import message_key
from services.mailer.reports import read
from services.mailer.settings import MailerSettings
from services.mailer.verp import Returned, ReturnPaths
from shared.errors import SettingsError
from tests.unit.mailer_bounces import COMPLAINT, QMAIL, dsn
from tests.unit.mailer_job import MAILING

PATHS = ReturnPaths(b"s" * 64, "bounces@bounce.example.com")
KEY = message_key(MAILING, "ada@example.com")
BACK = PATHS.address(MAILING, KEY)


def test_a_return_path_says_which_mail_and_cannot_be_made_up() -> None:
    """Whatever case it comes back in; altered, of another secret, or in another's domain it says nothing."""
    assert len(BACK.partition("@")[0]) <= 64
    assert PATHS.found(f"<{BACK}>") == PATHS.found(f"x, {BACK.upper()} (y)") == Returned(MAILING, KEY[:16])
    altered = BACK.replace(BACK[8:11], "aaa" if BACK[8:11] != "aaa" else "bbb")
    assert [PATHS.found(text) for text in (altered, BACK + ".evil.example", f"x{BACK}", BACK[:-1], "")] == [None] * 5
    assert ReturnPaths(b"t" * 64, "bounces@bounce.example.com").found(BACK) is None


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        ("5.1.1", "550 5.1.1 no such user", "hard"),
        ("5.0.0", "550 5.1.1 <ada@example.com>: Recipient address rejected", "hard"),
        ("5.0.0", "550 User unknown in virtual mailbox table", "hard"),
        ("5.7.1", "550 Mailbox does not exist", "hard"),
        ("5.4.4", "Host or domain name not found", "hard"),
        ("5.2.2", "552 5.2.2 mailbox full", "soft"),
        ("5.7.1", "554 5.7.1 blocked by Spamhaus", "soft"),
        ("5.7.26", "550 5.7.26 unauthenticated", "soft"),
        ("4.4.1", "timed out", "soft"),
        ("garbage", "", "soft"),
    ],
)
def test_only_an_address_that_is_wrong_for_good_is_hard(status: str, said: str, kind: str) -> None:
    """By the code, or by the words where the code says nothing (RFC 3463)."""
    report = read(dsn(BACK, "ada@example.com", status=status, said=said))

    assert (report.kind, report.addresses[0]) == (kind, "ada@example.com")
    assert PATHS.found(report.places) == Returned(MAILING, KEY[:16])


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_delay_and_a_receipt_are_no_bounces(action: str) -> None:
    """RFC 3464, 2.3.3."""
    assert read(dsn(BACK, "ada@example.com", action=action, status="4.4.1")).kind == "notice"


def test_a_complaint_and_a_bounce_in_words_of_its_own() -> None:
    """ARF (RFC 5965), and qmail by flufl.bounce; both have the return path somewhere."""
    complaint = read(COMPLAINT.format(back=BACK, path="/v1/unsubscribe/x").encode())
    qmail = read(QMAIL.format(back=BACK, address="ada@example.com").encode())

    assert (complaint.kind, complaint.words) == ("complaint", "abuse")
    assert PATHS.found(complaint.places) == Returned(MAILING, KEY[:16])
    assert (qmail.kind, "ada@example.com" in qmail.addresses) == ("hard", True)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "unparsed"),
        (b"\xff\xfe\0" * 100, "unparsed"),
        (b"Subject: lunch?\r\n\r\nAt one?\r\n", "unparsed"),
        (b"Auto-Submitted: auto-replied\r\nSubject: on holiday\r\n\r\nBack in May.\r\n", "notice"),
        (b"Content-Type: multipart/report; boundary=B\r\n\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n\r\n--B--", "unparsed"),
        (b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000)), "unparsed"),
    ],
)
def test_whatever_comes_is_read_without_an_error(raw: bytes, kind: str) -> None:
    """Anybody may write to the bounce address."""
    assert read(raw).kind == kind


def test_an_empty_setting_names_no_maildir(monkeypatch: pytest.MonkeyPatch) -> None:
    """As docker-compose.yml sets it: not the folder that the worker happens to stand in."""
    monkeypatch.setenv("MAILER_BOUNCE_MAILDIR", "")

    assert MailerSettings().bounce_maildir is None


@pytest.mark.parametrize("address", ["bounces-of-us@example.com", "a+b@example.com", "nobody", "ü@example.com"])
def test_a_bounce_address_that_has_no_room_for_a_token_refuses_to_start(address: str) -> None:
    """64 characters before the @ are all there are."""
    with pytest.raises(SettingsError, match="MAILER_BOUNCE_ADDRESS"):
        MailerSettings(bounce_address=address)
