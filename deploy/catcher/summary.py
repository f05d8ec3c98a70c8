"""What the list of mails shows, read off the head of a message in microseconds (a full parse takes a millisecond)."""

import base64
import quopri
import re
from dataclasses import dataclass

WANTED = re.compile(rb"^(from|to|subject)[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
MAX_HEAD = 64_000
MAX_VALUE = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """Decoded From, To and Subject; empty where a mail has none."""

    sender: str
    to: str
    subject: str


def _word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        raw = base64.b64decode(text) if encoding in "bB" else quopri.decodestring(text.replace("_", " "), header=True)
        return raw.decode(charset.partition("*")[0], errors="replace")
    except (LookupError, ValueError):
        return match[0]


def decoded(raw: bytes) -> str:
    """A header's value as people read it: unfolded, RFC 2047 words decoded, control characters gone."""
    value = re.sub(r"\r?\n(?=[ \t])", "", raw.decode("utf-8", errors="replace"))
    if "=?" in value:
        # Blanks between two encoded words belong to the folding (RFC 2047, 6.2).
        value = WORD.sub(_word, re.sub(r"\?=\s+=\?", "?==?", value))
    return re.sub(r"[\x00-\x1f\x7f]", " ", value).strip()[:MAX_VALUE]


def summarise(message: bytes) -> Summary:
    """Read a message's head; the first of a repeated header counts."""
    end = message.find(b"\r\n\r\n")
    head = message[: min(end if end >= 0 else MAX_HEAD, MAX_HEAD)]
    found: dict[bytes, str] = {}
    for name, value in WANTED.findall(head):
        found.setdefault(name.lower(), decoded(value))
    return Summary(found.get(b"from", ""), found.get(b"to", ""), found.get(b"subject", ""))
