"""Unsubscribe links: what one says is for the gateway alone, and none can be made up.

The token holds tenant, mailing and address, sealed with AES-SIV (RFC 5297), which encrypts and authenticates in one. So no proxy's
log and nobody who sees the link reads the address in it, and the gateway needs no list of links. SIV takes no nonce: a mail that
is sent again has the same link.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

SECRET = "unsubscribe"  # noqa: S105 - the name of the secret in the mailer's ledger
PATH = "/v1/unsubscribe/"
LONGEST = 600
"""Characters of a token; an address has 254 at most."""
VERSION = b"1"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Who does not want to be mailed any more, by which tenant, and the mailing (a job's id) whose link was used."""

    tenant: str
    mailing: str
    address: str


class Links:
    """Makes and opens tokens. `secret` has 64 bytes; see `shared.ledger.secrets`."""

    def __init__(self, secret: bytes) -> None:
        """Ready at once."""
        self._cipher = AESSIV(secret)

    def token(self, leaving: Leaving) -> str:
        """The token, base64url without padding."""
        words = f"{leaving.tenant}\0{leaving.mailing}\0{leaving.address}".encode()
        return base64.urlsafe_b64encode(self._cipher.encrypt(words, [VERSION])).rstrip(b"=").decode("ascii")

    def opened(self, token: str) -> Leaving | None:
        """What a token says; None where it is not one of ours, or was altered."""
        if not token.isascii() or len(token) > LONGEST:
            return None
        try:
            words = self._cipher.decrypt(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), [VERSION])
        except (binascii.Error, InvalidTag, ValueError):
            return None
        return Leaving(*words.decode().split("\0"))
