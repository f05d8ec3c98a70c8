"""One mail taken apart for reading: headers, text, HTML, attachments."""

import base64
import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage, MIMEPart
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment: its place among the mail's parts, name, type and size in bytes."""

    part: int
    name: str
    media_type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail ready to be shown."""

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None
    attachments: list[Attached]


def load(path: Path) -> EmailMessage:
    """Parse the file. Raises `FileNotFoundError`."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what the default policy makes
    return message


def _text_of(part: MIMEPart | None) -> str | None:
    if part is None:
        return None
    try:
        text = str(part.get_content())
    except (LookupError, UnicodeError):
        text = _bytes_of(part).decode("utf-8", errors="replace")
    return text.replace("\r\n", "\n")


def _bytes_of(part: MIMEPart) -> bytes:
    raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else part.as_bytes()


def part_of(message: EmailMessage, number: int) -> tuple[MIMEPart, bytes] | None:
    """Part `number` of the mail in reading order, and its bytes."""
    for index, part in enumerate(message.walk()):
        if index == number and not part.is_multipart():
            return part, _bytes_of(part)
    return None


def opened(message: EmailMessage) -> Opened:
    """Take the mail apart; inline pictures become data: addresses in the HTML, for it is shown without access to anything."""
    html = _text_of(message.get_body(("html",)))
    attachments = []
    for index, part in enumerate(message.walk()):
        if part.is_multipart():
            continue
        content_id = str(part.get("Content-ID", "")).strip().strip("<>")
        if html and content_id and part.get_content_maintype() == "image":
            data = base64.b64encode(_bytes_of(part)).decode("ascii")
            html = html.replace(f"cid:{content_id}", f"data:{part.get_content_type()};base64,{data}")
        if part.is_attachment() or part.get_filename():
            name = re.sub(r"[\x00-\x1f\x7f]", "", part.get_filename() or f"part-{index}")
            attachments.append(Attached(index, name, part.get_content_type(), len(_bytes_of(part))))
    headers = [(name, str(value)) for name, value in message.items()]
    return Opened(headers, _text_of(message.get_body(("plain",))), html, attachments)
