"""Encryption of a package: its key, how the packager is told it, and AES-128 over whole segments (RFC 8216 §4.3.2.4).

A key is never an argument, never logged, and in no plan: it goes to the packager in a file, and to the user as an artifact, which only
those may fetch who may read the job.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from services.transcoder.package import Package
from services.transcoder.playlists import PLAYLIST, Playlist
from shared.contracts.transcoder_options import Encryption

KEY_FILE = "key.bin"
LICENCE = "clearkey.json"
FLAGS = "key.flags"
BYTES = 16


@dataclass(frozen=True, slots=True)
class Key:
    """A content key and its id, 16 bytes each. Neither shows in a traceback."""

    value: bytes = field(repr=False)
    id: bytes = field(repr=False)

    @classmethod
    def chosen(cls, value: str | None, key_id: str | None) -> Self:
        """From the request's hex digits; what it left out is drawn at random."""
        draw = secrets.token_bytes
        return cls(bytes.fromhex(value) if value else draw(BYTES), bytes.fromhex(key_id) if key_id else draw(BYTES))

    def flags(self, uri: str) -> str:
        """The packager's options, for a file."""
        return f"--keys=label=:key_id={self.id.hex()}:key={self.value.hex()}\n--hls_key_uri={uri}\n"

    def licence(self) -> bytes:
        """As a Clear Key licence (W3C Encrypted Media Extensions §9.1.4), which every browser understands."""
        kid, value = (urlsafe_b64encode(part).rstrip(b"=").decode() for part in (self.id, self.value))
        return json.dumps({"keys": [{"kty": "oct", "kid": kid, "k": value}], "type": "temporary"}).encode()


@dataclass(frozen=True, slots=True)
class Seal:
    """One job's key, and where its playlists say that it is: at the user's own address, else beside the master playlist."""

    key: Key
    url: str | None = None

    @classmethod
    def of(cls, asked: Encryption | None) -> Self | None:
        """As the request says; None where it asks for none."""
        return cls(Key.chosen(asked.key, asked.key_id), asked.key_url) if asked else None

    @property
    def uri(self) -> str:
        """As a media playlist names it."""
        return self.url or f"../{KEY_FILE}"

    def artifacts(self, package: Package) -> Iterator[tuple[str, bytes, str]]:
        """Name, content and media type of what carries the key. With a key server of the user's own they lie apart from the package."""
        where = "encryption" if self.url else package.folder
        yield f"{where}/{KEY_FILE}", self.key.value, "application/octet-stream"
        if package.scheme != "aes-128":
            yield f"{where}/{LICENCE}", self.key.licence(), "application/json"


def encrypt(folder: Path, names: Iterable[str], playlists: Mapping[str, Playlist], seal: Seal) -> None:
    """Encrypt the segments of these tracks where they lie, and say so in their playlists; initialisations stay readable."""
    for name in names:
        for number, file in enumerate(playlists[name].segments):
            path = folder / name / file
            path.write_bytes(_encrypted(path.read_bytes(), seal.key.value, number))
        playlist = folder / name / PLAYLIST
        told = playlist.read_text(encoding="utf-8")
        # After the initialisation's line: one before it would mean that that is encrypted, too.
        playlist.write_text(told.replace("#EXTINF:", f'#EXT-X-KEY:METHOD=AES-128,URI="{seal.uri}"\n#EXTINF:', 1), encoding="utf-8")


def _encrypted(content: bytes, key: bytes, number: int) -> bytes:
    """Without an IV in the playlist, a segment's is its number, counted from 0 (RFC 8216 §5.2): a new one for each."""
    padder, writer = PKCS7(8 * BYTES).padder(), Cipher(AES(key), CBC(number.to_bytes(BYTES))).encryptor()
    padded = padder.update(content) + padder.finalize()
    return writer.update(padded) + writer.finalize()
