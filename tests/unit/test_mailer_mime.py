"""MIME: what the skeleton writes, software not written here reads back unchanged."""

import base64
import email
import email.policy
import quopri
import re
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mailer.headers import HeaderError
from services.mailer.mime import File, Skeleton, dot_stuffed, message_key, unsubscribe
from services.mailer.templates import Rendered
from services.mailer.transfer import MARK, encode_body

SENDER = ("news@example.com", "News")
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)


def parsed(message: bytes) -> EmailMessage:
    """As a receiver's software reads it; a defect anywhere is an error."""
    mail = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert [part.defects for part in mail.walk()] == [[] for _ in mail.walk()]
    return mail


def build(
    *,
    subject: str = "S",
    html: str | None = None,
    text: str | None = "T",
    listed: str | None = None,
    name: str = "",
    skeleton: Skeleton | None = None,
) -> bytes:
    """One message to Ada."""
    mail = Rendered(subject, html, text, listed)
    return (skeleton or Skeleton(sender=SENDER)).build(address="ada@example.com", name=name, key="k1", mail=mail)


def display_name(message: bytes) -> str:
    """The recipient's name, by RFC 2047 alone: the new parser of Python 3.11 puts blanks between a phrase's encoded words."""
    raw = email.message_from_bytes(message)["To"].rpartition("<")[0].strip()
    if raw.startswith('"'):
        return re.sub(r"\\(.)", r"\1", raw[1:-1])
    return str(make_header(decode_header(raw)))


def body_of(mail: EmailMessage, kind: str) -> str:
    """The text of the part of this kind, its line ends as Python's."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_text_and_html_are_alternatives_with_the_text_first() -> None:
    """multipart/alternative goes from plain to rich (RFC 2046, 5.1.4)."""
    mail = parsed(build(html="<p>H</p>", text="T"))

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@settings(max_examples=60, deadline=None)
@given(WORDS, WORDS)
def test_any_subject_and_name_come_back_as_they_were(subject: str, name: str) -> None:
    """Every character that may be in a header survives encoding and folding."""
    mail = parsed(build(subject=subject, name=name))

    assert subject.strip().split() == str(mail["subject"]).split()
    assert name.split() == display_name(build(subject=subject, name=name)).split()
    assert mail["to"].addresses[0].addr_spec == "ada@example.com"


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=400))
def test_any_body_comes_back_and_no_line_is_long(body: str) -> None:
    """Bodies survive quoted-printable and base64; encoded lines have at most 76 bytes (RFC 2045)."""
    message = build(html=body + "\n", text=body)

    assert max(map(len, message.split(b"\r\n"))) <= 76
    assert b"\n" not in message.replace(b"\r\n", b"")
    assert body_of(parsed(message), "html") == body + "\n"
    assert body_of(parsed(message), "plain").rstrip("\n") == body.rstrip("\n")


def test_a_chinese_body_is_base64_and_an_english_one_is_readable() -> None:
    """The shorter encoding is taken."""
    assert encode_body("你好世界" * 50)[0] == b"base64"
    assert encode_body("Grüße aus Köln, wie immer am Montag.")[0] == b"quoted-printable"


@pytest.mark.parametrize("subject", ["Hi Ada\r\nBcc: evil@example.com", "Hi\nX: y", "a\x00b", "a\x0bb"])
def test_a_line_break_in_a_rendered_subject_is_refused(subject: str) -> None:
    """A header cannot be injected: such a recipient is not mailed."""
    with pytest.raises(HeaderError, match="subject: it has a"):
        build(subject=subject)


@pytest.mark.parametrize("value", ["https://x.example/u?a=b\r\nBcc: evil@example.com", "javascript:alert(1)", "https://x.example/ü"])
def test_a_bad_unsubscribe_address_is_refused(value: str) -> None:
    """Only one-line ASCII https and mailto addresses become List-Unsubscribe."""
    with pytest.raises(HeaderError):
        unsubscribe(value)


def test_one_click_is_announced_for_https_only() -> None:
    """RFC 8058: List-Unsubscribe-Post goes with an https address, never with mailto alone."""
    with_https = parsed(build(listed="<mailto:u@example.com>, <https://example.com/u?t=1>"))
    without = parsed(build(listed="mailto:u@example.com"))

    assert with_https["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert with_https["List-Unsubscribe"] == "<mailto:u@example.com>, <https://example.com/u?t=1>"
    assert without["List-Unsubscribe-Post"] is None
    assert without["List-Unsubscribe"] == "<mailto:u@example.com>"


def test_attachments_custom_headers_and_reply_to() -> None:
    """An attachment keeps its name and bytes; the alternative is inside multipart/mixed."""
    skeleton = Skeleton(
        sender=("news@xn--kln-sna.example", 'Nëws "Inc", Köln'),
        reply_to=("desk@example.com", "Desk, the"),
        extra=[("X-Campaign", "Frühling"), ("X-Plain", "a b")],
        attachments=[File("Grüße.pdf", "application/pdf", bytes(range(256)) * 10), File("plain name.txt", "text/plain", b"x")],
    )
    mail = parsed(build(html="<p>H</p>", skeleton=skeleton))
    first, second = mail.iter_attachments()

    assert mail.get_content_type() == "multipart/mixed"
    assert (first.get_filename(), first.get_content()) == ("Grüße.pdf", bytes(range(256)) * 10)
    assert second.get_filename() == "plain name.txt"
    assert mail["From"].addresses[0].display_name == 'Nëws "Inc", Köln'
    assert mail["Reply-To"].addresses[0].display_name == "Desk, the"
    assert (mail["X-Campaign"], mail["X-Plain"]) == ("Frühling", "a b")
    assert body_of(mail, "html").strip() == "<p>H</p>"


def test_the_message_id_depends_on_mailing_and_recipient_alone() -> None:
    """The same recipient gets the same Message-ID at every attempt, another one another."""
    first = message_key("mailer_1", "ada@example.com")

    assert first == message_key("mailer_1", "ada@example.com")
    assert len({first, message_key("mailer_2", "ada@example.com"), message_key("mailer_1", "bob@example.com")}) == 3
    assert parsed(build())["Message-ID"] == "<k1@example.com>"


def test_dots_at_line_starts_are_doubled_and_the_end_is_a_lone_dot() -> None:
    """RFC 5321, 4.5.2."""
    assert dot_stuffed(b".a\r\n.\r\n..b\r\nc.\r\n") == b"..a\r\n..\r\n...b\r\nc.\r\n.\r\n"


def test_half_a_surrogate_is_refused() -> None:
    r"""JSON can carry "\ud800", which no mail can."""
    with pytest.raises(HeaderError, match="surrogate"):
        build(text="\ud800")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\ufdd0"), max_size=90), max_size=6))
def test_marks_leave_no_trace(pieces: list[str]) -> None:
    """Wherever a variable's text begins and ends, the body that arrives is the one that was rendered, in lines of 76 at most."""
    encoding, encoded = encode_body(MARK.join(pieces))
    decoders: dict[bytes, Callable[[bytes], bytes]] = {
        b"7bit": bytes,
        b"quoted-printable": quopri.decodestring,
        b"base64": base64.b64decode,
    }
    decoded = decoders[encoding](encoded)

    assert decoded.decode().replace("\r\n", "\n") == "".join(pieces)
    assert encoding == b"7bit" or max(map(len, encoded.split(b"\r\n"))) <= 76


def test_plain_lines_go_as_they_are() -> None:
    """But not where a line is too long for SMTP, a mailbox file would change it, or it might be a boundary."""
    assert encode_body("one\ntwo") == (b"7bit", b"one\r\ntwo")
    for body in ("x" * 901, "a\nFrom here", "--=_counterfoil_mixed_=", "nul \0"):
        assert encode_body(body)[0] == b"quoted-printable"
