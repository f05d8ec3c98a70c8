"""tus 1.0.0's headers (tus.io/protocols/resumable-upload): what a request says, and what this server can do."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate

from gateway.problems import Problem, invalid

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
CHECKSUMS = ("sha256", "sha1", "md5")  # sha1 is the one that tus demands
MEDIA_TYPE = "application/offset+octet-stream"
MAX_METADATA = 4_096
"""Characters of `Upload-Metadata`; it comes back with every HEAD."""

_NAME = re.compile(r"[!-+\--~]+")  # printable ASCII without space and comma
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    def matches(self, hashed: "hashlib._Hash") -> bool:
        """True where `hashed`, made by `start`, came to the same."""
        return hashed.digest() == self.digest

    def start(self) -> "hashlib._Hash":
        """A fresh hash; against accidents, not attackers (tus demands SHA-1)."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def check_version(headers: Mapping[str, str]) -> None:
    """Every request but OPTIONS names the version; raises Problem 412 where it is another or none."""
    if headers.get("tus-resumable") != VERSION:
        raise Problem("precondition-failed", f"send Tus-Resumable: {VERSION}", headers={"Tus-Version": VERSION})


def natural(headers: Mapping[str, str], name: str) -> int:
    """A required header that holds a non-negative integer; raises Problem 422 otherwise."""
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 19):  # noqa: PLR2004 - 2**63 has 19 digits
        raise invalid(f"the header {name} must be a non-negative integer", f"/header/{name.lower()}")
    return int(text)


def metadata_of(header: str | None) -> dict[str, str]:
    """`Upload-Metadata`: comma-separated `name base64`, the value optional; raises Problem 422 where it is malformed."""
    found: dict[str, str] = {}
    if not header:
        return found
    if len(header) > MAX_METADATA:
        raise _metadata(f"has {len(header)} characters; {MAX_METADATA} are allowed")
    for pair in header.split(","):
        name, _, encoded = pair.strip().partition(" ")
        if not _NAME.fullmatch(name):
            raise _metadata("needs a name in printable ASCII in front of each value")
        if name in found:
            raise _metadata(f"names {name!r} twice")
        try:
            found[name] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _metadata(f"has a value for {name!r} that is not UTF-8 in Base64") from error
    return found


def metadata_header(metadata: Mapping[str, str]) -> str:
    """The other way round, for HEAD."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}".rstrip() for name, value in metadata.items())


def checksum_of(header: str | None) -> Checksum | None:
    """`Upload-Checksum`: algorithm and Base64 digest; raises Problem 422 for an algorithm that is not in `CHECKSUMS`."""
    if header is None:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise invalid(f"the checksum algorithm must be one of {', '.join(CHECKSUMS)}", "/header/upload-checksum")
    try:
        digest = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error as error:
        raise invalid("the checksum is not Base64", "/header/upload-checksum") from error
    return Checksum(algorithm, digest)


def media_type_of(metadata: Mapping[str, str]) -> str:
    """The media type that the client claims (`filetype`, as Uppy and tus-js-client's examples name it), or octets where it is none."""
    claimed = (metadata.get("filetype") or metadata.get("content-type") or "").partition(";")[0].strip().lower()
    return claimed if _MEDIA_TYPE.fullmatch(claimed) else "application/octet-stream"


def filename_of(metadata: Mapping[str, str]) -> str | None:
    """The client's file name without folders and control characters, at most 255 bytes; None where nothing is left."""
    name = (metadata.get("filename") or metadata.get("name") or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in name if char.isprintable()).strip(" .")
    return name.encode()[:255].decode(errors="ignore") or None


def http_date(seconds: float) -> str:
    """Unix seconds as RFC 9110 writes a date."""
    return formatdate(seconds, usegmt=True)


def _metadata(what: str) -> Problem:
    return invalid(f"Upload-Metadata {what}", "/header/upload-metadata")
