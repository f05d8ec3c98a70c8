"""DKIM signatures (RFC 6376) with RSA and Ed25519 keys (RFC 8463).

Canonicalization is relaxed/simple: relays fold headers anew, and our bodies (7bit, quoted-printable, base64) are of a form that none
touches. Every header of the mail is signed, and those that a reader goes by once more than they are there ("oversigned", RFC 6376,
8.15): a second From that somebody adds breaks the signature. Signing takes RSA-2048 about a millisecond, most of it without
Python's lock; see `signing` for how the sender does not wait for it.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CRLF = b"\r\n"
OVERSIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"cc", b"mime-version", b"content-type",
              b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post")  # fmt: skip
WIDTH = 72
LONGEST_STRING = 255
"""Bytes of one string of a TXT record (RFC 1035, 3.3)."""

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the name under which the DNS has its public half: `selector._domainkey.domain`."""

    domain: str
    selector: str
    private: PrivateKey

    @property
    def algorithm(self) -> str:
        """As in the signature's `a=`."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    @property
    def name(self) -> str:
        """The DNS name of the record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record that the DNS must have there (RFC 6376, 3.6.1; RFC 8463, 4)."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            return f"v=DKIM1; k=rsa; p={_text(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))}"
        return f"v=DKIM1; k=ed25519; p={_text(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}"

    def zone_line(self) -> str:
        """The record as a line for a zone file, its text in strings of at most 255 bytes."""
        record = self.record
        pieces = [record[start : start + LONGEST_STRING] for start in range(0, len(record), LONGEST_STRING)]
        return f"{self.name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)

    def sign(self, data: bytes) -> bytes:
        """The signature of the hashed headers."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


@lru_cache(maxsize=4_096)
def _relaxed(field: bytes) -> tuple[bytes, bytes]:
    """A header field's name in lower case, and the field as RFC 6376 (3.4.2) wants it, with its line end.

    Kept, for most fields are the same in all mails of a batch.
    """
    name, _, value = field.partition(b":")
    name = name.rstrip().lower()
    return name, name + b":" + b" ".join(value.split()) + CRLF


def _folded(text: bytes) -> bytes:
    return b"\r\n ".join(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))


class Signer:
    """Signs the mails of one From domain with each of its keys. Safe to use from several threads."""

    def __init__(self, keys: Sequence[Key], clock: Callable[[], float] = time.time) -> None:
        """All of the same domain or of domains above it (see `keys_for`)."""
        self._keys = tuple(keys)
        self._clock = clock

    def signed(self, message: bytes) -> bytes:
        """The message, its lines parted by CRLF, with a DKIM-Signature for each key before it."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = [_relaxed(field) for field in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(CRLF)]
        fields.reverse()  # of several fields of one name the last is signed first (RFC 6376, 5.4.2)
        names = [name for name, _ in fields]
        data = b"".join([field for _, field in fields])
        listed = _listed((*names, *OVERSIGNED))
        digest = base64.b64encode(hashlib.sha256(body.rstrip(CRLF) + CRLF).digest())
        return b"".join([*(self._signature(key, data, listed, digest) for key in self._keys), message])

    def _signature(self, key: Key, data: bytes, listed: bytes, digest: bytes) -> bytes:
        who = f"a={key.algorithm}; c=relaxed/simple; d={key.domain};\r\n s={key.selector}; t={int(self._clock())};".encode("ascii")
        field = b"DKIM-Signature: v=1; %s\r\n h=%s;\r\n bh=%s;\r\n b=" % (who, listed, digest)
        _, relaxed = _relaxed(field.replace(CRLF, b""))
        return field + _folded(base64.b64encode(key.sign(data + relaxed.removesuffix(CRLF)))) + CRLF


@lru_cache(maxsize=256)
def _listed(names: tuple[bytes, ...]) -> bytes:
    """The names for `h=`, folded where a line grows long."""
    lines, length = [names[0]], len(names[0])
    for name in names[1:]:
        if length + len(name) > WIDTH:
            lines.append(b":\r\n  " + name)
            length = len(name)
        else:
            lines.append(b":" + name)
            length += 1 + len(name)
    return b"".join(lines)


def keys_for(domain: str, keys: Sequence[Key]) -> list[Key]:
    """The keys that sign for a From domain: its own, else those of the nearest domain above it (relaxed alignment, RFC 7489, 3.1.1)."""
    while "." in domain:
        found = [key for key in keys if key.domain == domain]
        if found:
            return found
        domain = domain.partition(".")[2]
    return []
