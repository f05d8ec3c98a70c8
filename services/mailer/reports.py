"""What a mail that came back says: a delivery report (DSN, RFC 3464), a complaint (ARF, RFC 5965), or one in words of its own.

Those in words of their own are read by flufl.bounce, which Mailman has taught them for twenty years. Only an address that is wrong for
good is *hard*: a full mailbox, a policy or a listing says nothing about the recipient (RFC 3463 has the codes).
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Literal

from flufl.bounce import all_failures

Kind = Literal["hard", "soft", "complaint", "notice", "unparsed"]
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it prints a traceback for every header that it does not expect
NOWHERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
"""No such mailbox, no such domain, bad syntax, moved, null MX, disabled, no route."""
VAGUE = frozenset({"5.0.0", "5.1.0", "5.3.0", "5.4.1", "5.5.0", "5.7.1", ""})
"""Codes that servers use for anything: their words decide."""
UNKNOWN_USER = re.compile(
    r"(?:user|recipient|mailbox|address|account)\b.{0,40}\b(?:unknown|not found|does ?n.t exist|does not exist|invalid|disabled|not exist)"
    r"|(?:unknown|no such|invalid) (?:user|recipient|mailbox|address|account|local part)|address rejected: undeliverable",
    re.IGNORECASE,
)
STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
ADDRESS = re.compile(r"[^\s<>;,\"]+@[^\s<>;,\"]+")
LONGEST_WORDS = 300
LONGEST_MAIL = 100_000
"""Bytes of a bounce that are looked at: some servers send the whole mail back, and what it says stands before that. flufl.bounce's patterns
take a second for so much where somebody means them harm, and hours for twenty times as much."""
PLACES = ("delivered-to", "x-original-to", "envelope-to", "to", "return-path", "original-mail-from", "original-rcpt-to")
"""Headers that may hold our return path: of the bounce, of the mail in it, of a complaint's report."""


@dataclass(frozen=True, slots=True)
class Report:
    """What it says; `words` with the status code first. `places` may hold our return path, `addresses` are whom it may be about."""

    kind: Kind
    words: str = ""
    places: str = ""
    addresses: tuple[str, ...] = ()


def read(raw: bytes) -> Report:
    """Read one mail. Never raises: what cannot be read is `unparsed`."""
    try:
        message = BytesParser().parsebytes(raw[:LONGEST_MAIL])
        parts = list(message.walk())
        kind, words, addresses = _verdict(message, parts)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError) as error:  # email's on hostile input
        return Report("unparsed", type(error).__name__)
    places = "\n".join(str(part.get(name, "")) for part in parts for name in PLACES)
    to = [address for part in parts[1:] for address in ADDRESS.findall(str(part.get("to", "")))]
    return Report(kind, " ".join(words.split())[:LONGEST_WORDS], places, tuple(dict.fromkeys([*addresses, *to])))


def _verdict(message: Message, parts: list[Message]) -> tuple[Kind, str, list[str]]:
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            return _complaint(part)
    blocks = [block for part in parts if part.get_content_type() == "message/delivery-status" for block in _blocks(part)]
    if blocks:
        return _delivery(blocks)
    if str(message.get("auto-submitted", "no")).strip().lower().startswith("auto-replied"):
        return "notice", "an automatic reply", []
    temporary, permanent = all_failures(message)
    failed = [address.decode("ascii", errors="replace") for address in [*permanent, *temporary]]
    if not failed:
        return "unparsed", "", []
    return ("hard" if permanent else "soft"), "by a report in words of its own", failed


def _blocks(part: Message) -> Iterator[Message]:
    """A report's groups of fields."""
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))


def _complaint(part: Message) -> tuple[Kind, str, list[str]]:
    fields = next(_blocks(part), part)
    kind = str(fields.get("feedback-type", "")).strip().lower()
    addresses = ADDRESS.findall(" ".join(map(str, fields.get_all("original-rcpt-to", []))))
    return ("notice" if kind in {"not-spam", "auth-failure"} else "complaint"), kind or "complaint", addresses


def _delivery(blocks: list[Message]) -> tuple[Kind, str, list[str]]:
    """The gravest of the recipients' verdicts; a mail of ours has one recipient."""
    found = [_of_recipient(block) for block in blocks if block.get("action") or block.get("status")]
    gravity: tuple[Kind, ...] = ("hard", "soft", "notice")
    return min(found, key=lambda each: gravity.index(each[0]), default=("unparsed", "", []))


def _of_recipient(block: Message) -> tuple[Kind, str, list[str]]:
    action = str(block.get("action", "failed")).split("(")[0].strip().lower()
    said = str(block.get("diagnostic-code", "")).partition(";")[2].strip() or str(block.get("diagnostic-code", ""))
    status = (STATUS.findall(str(block.get("status", ""))) or [""])[0]
    if status in VAGUE and (finer := [code for code in STATUS.findall(said) if code not in VAGUE]):
        status = finer[0]
    words = f"{status} {said}".strip()
    addresses = [found for name in ("original-recipient", "final-recipient") for found in ADDRESS.findall(str(block.get(name, "")))]
    if action != "failed":
        return "notice", words, addresses
    gone = status in NOWHERE or (status in VAGUE and UNKNOWN_USER.search(said) is not None)
    return ("hard" if gone else "soft"), words, addresses
