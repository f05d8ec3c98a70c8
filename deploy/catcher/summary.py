"""What the list of mails shows, read off the head of a message in microseconds (a full parse takes a millisecond)."""

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

WANTED = re.compile(rb"^(from|to|subject)[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
MAX_HEAD = 64_000
MAX_VALUE = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """Decoded From, To and Subject; empty where a mail has none."""

    sender: str
    to: str
    subject: str


def decoded(raw: bytes) -> str:
    """A header's value as people read it: unfolded, encoded words decoded, control characters gone."""
    value = re.sub(r"\r?\n(?=[ \t])", "", raw.decode("utf-8", errors="replace"))
    if "=?" in value:
        try:
            value = str(make_header(decode_header(value)))
        except (HeaderParseError, LookupError, UnicodeDecodeError, ValueError):
            value = value.strip()
    return re.sub(r"[\x00-\x1f\x7f]", " ", value).strip()[:MAX_VALUE]


def summarise(message: bytes) -> Summary:
    """Read a message's head; the first of a repeated header counts."""
    end = message.find(b"\r\n\r\n")
    head = message[: min(end if end >= 0 else MAX_HEAD, MAX_HEAD)]
    found: dict[bytes, str] = {}
    for name, value in WANTED.findall(head):
        found.setdefault(name.lower(), decoded(value))
    return Summary(found.get(b"from", ""), found.get(b"to", ""), found.get(b"subject", ""))
