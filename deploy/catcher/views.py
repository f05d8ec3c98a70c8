"""Mails as JSON and as pages: the same fields in both, and nothing of a mail reaches a page unescaped."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.catcher.store import Listed

PAGES = Path(__file__).parent / "templates"
UNIT = 1_000


def size_of(count: int) -> str:
    """Bytes for people: `812 B`, `11.3 kB`, `2.4 MB`."""
    if count < UNIT:
        return f"{count} B"
    return f"{count / UNIT:.1f} kB" if count < UNIT**2 else f"{count / UNIT**2:.1f} MB"


def as_json(mail: Listed) -> dict[str, Any]:
    """A mail in the list; `from` and `to` are the headers, `envelope` what was said in SMTP."""
    return {
        "id": mail.id,
        "received_at": datetime.fromtimestamp(mail.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "from": mail.sender,
        "to": mail.recipient,
        "subject": mail.subject,
        "bytes": mail.bytes,
        "envelope": {"mail_from": mail.mail_from, "rcpt_to": mail.rcpt_to},
    }


def for_page(mail: Listed) -> dict[str, Any]:
    """A mail as the pages show it."""
    people = mail.recipient or ", ".join(mail.rcpt_to)
    return {
        "id": mail.id,
        "received_at": as_json(mail)["received_at"],
        "sender": mail.sender or mail.mail_from,
        "recipient": people,
        "subject": mail.subject,
        "mail_from": mail.mail_from,
        "rcpt_to": mail.rcpt_to,
        "size": size_of(mail.bytes),
        "initial": next((letter for letter in people if letter.isalnum()), "?").upper(),
        "hue": crc32(people.encode()) % 360,
    }


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)


def render(page: str, values: Mapping[str, Any]) -> str:
    """Fill in a page; every value is escaped."""
    return _environment().get_template(page).render(values)
