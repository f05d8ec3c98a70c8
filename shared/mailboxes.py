"""Mail addresses: is it one, what does it look like on the wire, and are two the same mailbox?

Stricter than the contract's pattern, for a bad row should be told by name before a server refuses it. A domain with
non-ASCII letters becomes punycode (IDNA 2008 with UTS 46 mapping). The local part keeps its case: only its own server knows
whether case matters there (RFC 5321, 2.4); the domain's never does.
"""

import re
import unicodedata
from functools import lru_cache

import idna

MAX_ADDRESS = 254
MAX_LOCAL = 64
# RFC 5322 dot-atom: no quotes, no leading, trailing or doubled dot.
# RFC 6531 adds all characters beyond ASCII; `normalise` leaves out those that nobody can see.
LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*")
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}\.)+(?:[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?)")


class BadAddressError(ValueError):
    """It is no address that mail could be sent to; the message says why."""


@lru_cache(maxsize=4_096)
def to_ascii(domain: str) -> str:
    """The domain in lower-case ASCII, punycode where needed. Raises `BadAddressError`."""
    lowered = domain.lower()
    if not lowered.isascii():
        try:
            lowered = idna.encode(lowered, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise BadAddressError(f"the domain {domain!r} is not a valid international name: {error}") from error
    if not DOMAIN.fullmatch(lowered):
        raise BadAddressError(f"{domain!r} is not a domain that mail can be sent to")
    return lowered


def normalise(address: str) -> str:
    """The address as it goes over the wire and as mailings compare it. Raises `BadAddressError` with the reason.

    A local part with letters beyond ASCII is in Unicode's composed form (NFC); it needs a relay with SMTPUTF8 (RFC 6531).
    """
    local, at, domain = address.strip().rpartition("@")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
        if not local.isprintable() or any(character.isspace() for character in local):
            raise BadAddressError("the part before the @ has a character that nobody can see")
    if not at or not local or not domain:
        raise BadAddressError("an address reads local-part@domain")
    if len(local.encode()) > MAX_LOCAL:
        raise BadAddressError(f"the part before the @ is longer than {MAX_LOCAL} characters")
    if not LOCAL.fullmatch(local):
        raise BadAddressError("the part before the @ has a character or a dot where none may be")
    normal = f"{local}@{to_ascii(domain)}"
    if len(normal.encode()) > MAX_ADDRESS:
        raise BadAddressError(f"the address is longer than {MAX_ADDRESS} characters")
    return normal


def folded(address: str) -> str:
    """What a list of those not to be mailed has for `address`, which `normalise` gave: the local part in lower case, too.

    Hardly a server tells `Ada@` from `ada@`, and whoever unsubscribed as the one did not mean to be mailed as the other.
    """
    return address.lower()
