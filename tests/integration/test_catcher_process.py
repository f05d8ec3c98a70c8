"""The mail catcher from outside: smtplib and EmailMessage hand mail over, HTTP shows it."""

import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from tests.integration.catcher_process import Catcher, catching
from tests.servers import wait_until


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catcher]:
    """One catcher for the tests that only look."""
    with catching(tmp_path_factory.mktemp("mail")) as running:
        yield running


def letter(subject: str = "Grüße aus Köln", to: str = "ada@example.com") -> EmailMessage:
    """Text, HTML with a script and an inline picture, and an attachment."""
    mail = EmailMessage()
    mail["From"] = "Nëws <news@example.com>"
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content("Hello\n.a dot\n..two\n")
    mail.add_alternative('<p>Hello <img src="cid:pic"><script>alert(1)</script></p>', subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<pic>")  # type: ignore[union-attr, index]  # its second part
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="../../Grüße.pdf")
    return mail


def hand_over(catcher: Catcher, *mails: EmailMessage) -> None:
    """By the standard library's client."""
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port) as smtp:
        for mail in mails:
            smtp.send_message(mail)


def newest(catcher: Catcher, query: str = "") -> dict[str, object]:
    """The newest mail that matches."""
    found = catcher.http.get("/api/messages", params={"q": query, "limit": 1}).json()["items"][0]
    return dict(catcher.http.get(f"/api/messages/{found['id']}").json())


def test_a_mail_is_shown_with_all_its_parts(catcher: Catcher) -> None:
    """Headers decoded, dots at line starts as they were, the attachment listed, the envelope kept."""
    hand_over(catcher, letter())
    mail = newest(catcher)

    assert (mail["subject"], mail["from"], mail["to"]) == ("Grüße aus Köln", "Nëws <news@example.com>", "ada@example.com")
    assert mail["text"] == "Hello\n.a dot\n..two\n"
    assert mail["envelope"] == {"mail_from": "news@example.com", "rcpt_to": ["ada@example.com"]}
    assert [each["name"] for each in mail["attachments"]] == ["../../Grüße.pdf"]  # type: ignore[attr-defined]  # JSON


def test_a_mails_html_may_run_and_load_nothing(catcher: Catcher) -> None:
    """It is framed in a sandbox, under a policy of its own; inline pictures are data: addresses."""
    hand_over(catcher, letter())
    number = newest(catcher)["id"]
    html = catcher.http.get(f"/messages/{number}/html")
    page = catcher.http.get(f"/messages/{number}").text

    assert "default-src 'none'" in html.headers["content-security-policy"]
    assert "sandbox allow-popups" in html.headers["content-security-policy"]
    assert 'src="data:image/png;base64,iVBORw=="' in html.text
    assert '<iframe title="The mail" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "<script>alert(1)</script>" not in page


def test_nothing_in_a_mail_reaches_a_page_unescaped(catcher: Catcher) -> None:
    """A subject with markup is text in the list and on its page."""
    hand_over(catcher, letter(subject="<script>alert(2)</script>"))
    number = newest(catcher, "alert(2)")["id"]

    assert "<script>alert(2)" not in catcher.http.get("/").text
    assert "<script>alert(2)" not in catcher.http.get(f"/messages/{number}").text


def test_raw_and_attachments_are_downloads(catcher: Catcher) -> None:
    """The .eml begins with the envelope; the attachment's bytes are as they were sent and no browser shows them."""
    hand_over(catcher, letter())
    mail = newest(catcher)
    raw = catcher.http.get(f"/api/messages/{mail['id']}/raw")
    part = catcher.http.get(f"/messages/{mail['id']}/parts/{mail['attachments'][0]['part']}")  # type: ignore[index]  # JSON

    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.content.startswith(b"Return-Path: <news@example.com>\r\nDelivered-To: ada@example.com\r\nReceived: ")
    assert part.content == b"%PDF"
    assert part.headers["content-type"] == "application/octet-stream"
    assert part.headers["content-disposition"] == "attachment; filename*=utf-8''..%2F..%2FGr%C3%BC%C3%9Fe.pdf"


def test_search_and_paging(catcher: Catcher) -> None:
    """Every word must occur, somewhere in addresses or subject (or text); pages go on where the last ended, newest first."""
    hand_over(catcher, *(letter(subject=f"Numbered {number}", to=f"p{number}@pages.example") for number in range(7)))
    first = catcher.http.get("/api/messages", params={"q": "pages.example NUMBERED", "limit": 4}).json()
    rest = catcher.http.get("/api/messages", params={"q": "pages.example NUMBERED", "limit": 4, "cursor": first["next_cursor"]}).json()

    assert [each["subject"][-1] for each in first["items"] + rest["items"]] == ["6", "5", "4", "3", "2", "1", "0"]
    assert rest["next_cursor"] is None


def found(catcher: Catcher, query: str) -> list[str]:
    """The subjects of the mails that match."""
    return [each["subject"] for each in catcher.http.get("/api/messages", params={"q": query}).json()["items"]]


def test_the_text_of_mails_is_searched(tmp_path: Path) -> None:
    """By words or their beginnings, in text, in HTML without text, in names of attachments, not in scripts; until they are deleted."""
    plain, page = EmailMessage(), EmailMessage()
    plain["Subject"], plain["From"], plain["To"] = "plain", "a@example.com", "b@example.com"
    plain.set_content('The Übergrößenträger costs 12.50 "only" today')
    page["Subject"], page["From"], page["To"] = "page", "a@example.com", "b@example.com"
    page.set_content("<p>Sugar<b>beet</b></p><script>hidden()</script>", subtype="html")
    with catching(tmp_path) as catcher:
        hand_over(catcher, plain, page, letter(subject="with file"))
        wait_until(lambda: found(catcher, "sugar") != [], "the texts are indexed", seconds=10)
        wait_until(lambda: found(catcher, "Grüße.pdf") != [], "the last one, too", seconds=10)
        catcher.process.kill()
        catcher.process.wait()
    with catching(tmp_path) as catcher:
        seen = {
            query: found(catcher, query)
            for query in ("ubergro", 'COSTS "only"', "12.50", "beet page", "hidden", "costs sugar", '"', "a* OR b")
        }
        assert {"ubergro": ["plain"], 'COSTS "only"': ["plain"], "12.50": ["plain"], "beet page": ["page"]} == dict(list(seen.items())[:4])
        assert [[], [], [], []] == list(seen.values())[4:]
        catcher.http.delete("/api/messages")
        assert [] == found(catcher, "sugar")


@pytest.mark.parametrize("path", ["/api/messages/999999", "/messages/999999", "/api/messages/999999/raw", "/messages/999999/html"])
def test_a_mail_that_is_not_there_is_404(catcher: Catcher, path: str) -> None:
    """Also for numbers that never were."""
    assert catcher.http.get(path).status_code == httpx.codes.NOT_FOUND


def talk(catcher: Catcher, said: bytes, answers: int) -> list[str]:
    """Say it all at once; the first so many reply codes after the greeting."""
    with socket.create_connection(("127.0.0.1", catcher.smtp_port), timeout=10) as connection, connection.makefile("rb") as replies:
        replies.readline()
        connection.sendall(said)
        return [replies.readline()[:3].decode() for _ in range(answers)]


def test_nonsense_is_refused_politely(catcher: Catcher) -> None:
    """Out of order, malformed, unknown, or with a header break in the address."""
    said = b"DATA\r\nRCPT TO:<a@b>\r\nMAIL FROM:a\r\nFISH\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b\rX: y>\r\nQUIT\r\n"

    assert talk(catcher, said, 7) == ["503", "503", "501", "500", "250", "501", "221"]


def test_pipelined_commands_are_answered_in_order(catcher: Catcher) -> None:
    """RFC 2920: a whole mail in one packet, and the next one behind its dot; an empty body is a body."""
    empty = b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"
    said = empty + b"MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: two\r\n\r\nx\r\n.\r\nQUIT\r\n"

    assert talk(catcher, said, 9) == ["250", "250", "354", "250", "250", "250", "354", "250", "221"]


def test_a_killed_catcher_finds_its_mails_again(tmp_path: Path) -> None:
    """What got a 250 is there after SIGKILL, even if the index had not heard of it; numbers go on, also after a clearing."""
    with catching(tmp_path) as catcher:
        hand_over(catcher, *(letter(subject=f"s{number}") for number in range(20)))
        catcher.process.kill()
        catcher.process.wait()
    with catching(tmp_path) as catcher:
        found = catcher.http.get("/api/messages").json()
        mail = newest(catcher)

        assert found["total"] == 20
        assert (mail["subject"], mail["envelope"]) == ("s19", {"mail_from": "news@example.com", "rcpt_to": ["ada@example.com"]})
        assert catcher.http.delete("/api/messages").status_code == httpx.codes.NO_CONTENT
        hand_over(catcher, letter())
        assert catcher.http.get("/api/messages").json()["items"][0]["id"] == 21
    assert len(list(tmp_path.rglob("*.eml"))) == 1
