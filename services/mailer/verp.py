"""Variable envelope return paths (VERP, D. J. Bernstein 1997): the address that a bounce comes back to says which mail it is about.

`bounces+<token>@bounce.example.com`. The token is base32 without case (some servers lower it, RFC 5321 lets them) of mailing (a ULID, 16
bytes), the first half of the recipient's key (8) and HMAC-SHA256 over both (8), so that nobody can make up a bounce and have
somebody suppressed.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

SECRET = "bounce"  # noqa: S105 - the name of the secret in the mailer's ledger
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, in which ULIDs are written."""
PREFIX = "mailer_"
HALF_KEY = 16
SIGNED = 8


@dataclass(frozen=True, slots=True)
class Returned:
    """Which mail came back: the mailing's job id, and the first 16 of the 32 characters of the recipient's key in it."""

    mailing: str
    half_key: str


class ReturnPaths:
    """Makes and reads the addresses of one bounce address."""

    def __init__(self, secret: bytes, bounce_address: str) -> None:
        """`bounce_address` is normalised."""
        self._secret = secret
        self._name, _, self._domain = bounce_address.partition("@")
        self._token = re.compile(
            rf"(?<![\w.+-]){re.escape(self._name)}\+([a-z2-7]{{52}})@{re.escape(self._domain)}(?![\w.-])", re.IGNORECASE
        )

    def address(self, mailing: str, key: str) -> str:
        """The return path of one mail; `key` as `mime.message_key` makes it."""
        about = _number(mailing) + bytes.fromhex(key[:HALF_KEY])
        token = base64.b32encode(about + self._signature(about)).rstrip(b"=").decode("ascii").lower()
        return f"{self._name}+{token}@{self._domain}"

    def found(self, text: str) -> Returned | None:
        """The first address of ours in `text` whose signature is good; None: there is none."""
        for match in self._token.finditer(text):
            try:
                raw = base64.b32decode(match[1].upper() + "====")
            except binascii.Error:
                continue
            about, signature = raw[:-SIGNED], raw[-SIGNED:]
            if hmac.compare_digest(signature, self._signature(about)):
                return Returned(_mailing(about[:16]), about[16:].hex())
        return None

    def _signature(self, about: bytes) -> bytes:
        return hmac.digest(self._secret, about, hashlib.sha256)[:SIGNED]


@lru_cache(maxsize=64)
def _number(mailing: str) -> bytes:
    """The 16 bytes of a job's ULID."""
    number = 0
    for character in mailing.removeprefix(PREFIX):
        number = number << 5 | ALPHABET.index(character)
    return number.to_bytes(16)


def _mailing(raw: bytes) -> str:
    number, out = int.from_bytes(raw), list[str]()
    for _ in range(26):
        out.append(ALPHABET[number & 31])
        number >>= 5
    return PREFIX + "".join(reversed(out))
