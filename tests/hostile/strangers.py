"""What is no film at all, or a film and something else besides."""

import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.hostile.bases import Bases

MEGABYTE = 1_000_000


def _image(kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(held, kind)
    return held.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return held.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def strangers(bases: Bases, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Texts, pictures, archives, programs, noise; and polyglots of them with a film."""
    plain = {
        "empty": b"",
        "byte": b"\0",
        "newline": b"\n",
        "text": "Ein Text, der kein Film ist – nirgends.\n".encode() * 50,
        "utf-16": "no film".encode("utf-16") * 50,
        "json": json.dumps({"film": [1, 2, 3] * 500}).encode(),
        "deep-json": b"[" * 100_000,
        "xml-bomb": b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><a>' + b"&b;" * 1_000 + b"</a>",
        "python": Path(__file__).read_bytes(),
        "pdf": b"%PDF-1.7\n" + b"1 0 obj << >> endobj\n" * 100,
        "elf": Path("/bin/sh").read_bytes()[:100_000],
        "zip": _zip("film.mp4", bases["mp4"]),
        "zip-bomb": _zip("film.mp4", bytes(20 * MEGABYTE)),
        "gzip-bomb": gzip.compress(bytes(20 * MEGABYTE)),
        "xz-bomb": lzma.compress(bytes(20 * MEGABYTE)),
        "tar": _tar("../../etc/passwd", b"root"),
        "zeros": bytes(MEGABYTE),
        "ones": b"\xff" * MEGABYTE,
        "sync-bytes": b"\x47" * 188_000,
        "start-codes": b"\0\0\1" * 100_000,
        "adts-headers": b"\xff\xf1\x50\x80\x00\x1f\xfc" * 20_000,
        "mp3-headers": b"\xff\xfb\x90\x64" * 50_000,
        "riff": b"RIFF\xff\xff\xff\xffAVI " * 5_000,
        "boxes": b"\0\0\0\x08moov" * 50_000,
        "nested-boxes": b"".join((8 * (5_000 - n)).to_bytes(4, "big") + b"moov" for n in range(5_000)),
        "ebml": b"\x1a\x45\xdf\xa3" * 50_000,
        "ogg-capture": b"OggS" * 50_000,
        "flv-header": b"FLV\1\5\0\0\0\x09\0\0\0\0" * 10_000,
        "ftyp-only": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        "matroska-void": b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + b"\xec\x80" * 100_000,
        **{f"image-{kind.lower()}": _image(kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "ICO", "PPM")},
        "image-large": _image("PNG", (9_000, 9_000)),
    }
    yield from plain.items()
    for size in (1, 7, 100, 1_000, 65_536, MEGABYTE):
        yield f"noise-{size}", chance.randbytes(size)
    for front in ("html", "zip", "png", "elf", "id3", "shell"):
        for name in ("mp4", "ts", "mp3", "mkv"):
            head = {
                "html": b"<html><script>alert(1)</script>",
                "zip": plain["zip"],
                "png": plain["image-png"],
                "elf": plain["elf"][:4_096],
                "id3": b"ID3\x04\0\0\0\0\x07\x76" + bytes(1_014),
                "shell": b"#!/bin/sh\nrm -rf /\n",
            }[front]
            yield f"{front}-then-{name}", head + bases[name]
            yield f"{name}-then-{front}", bases[name] + head
