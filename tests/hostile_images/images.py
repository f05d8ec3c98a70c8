"""Hostile images, numbered: image `n` is the same bytes for ever, so that a finding can be looked at again."""

import base64
import random
import struct
import zlib
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from tests.unit.test_avatar_decode import HEIC, HOSTILE, bomb


@cache
def seeds() -> tuple[bytes, ...]:
    """Sound images of every kind of file that may come, small and with a face in them."""
    portrait = Image.open("deploy/samples/portrait.jpg").convert("RGB").resize((160, 160))
    made = [
        _saved(portrait, "JPEG", quality=70),
        _saved(portrait, "JPEG", quality=70, progressive=True),
        _saved(portrait.convert("CMYK"), "JPEG", quality=60),
        _saved(portrait, "PNG"),
        _saved(portrait.quantize(64), "PNG"),
        _saved(Image.fromarray(np.asarray(portrait.convert("L"), dtype=np.uint16) * 257), "PNG"),
        _saved(portrait.convert("RGBA"), "PNG"),
        _saved(portrait, "WEBP", quality=60),
        _saved(portrait.convert("RGBA"), "WEBP", lossless=True),
        base64.b64decode(HEIC),
        _saved(portrait, "AVIF", quality=50),
        _saved(portrait, "GIF"),
        _saved(portrait, "TIFF"),
        _saved(portrait, "BMP"),
    ]
    return (*made, *(data for data, _ in HOSTILE.values() if data))


def image(number: int) -> bytes:
    """Image `number`: a seed, damaged in one of eight ways, a bomb, or noise."""
    rng = random.Random(number)
    data = bytearray(seeds()[number % len(seeds())])
    ways = (_noise, _bomb, _cut, _longer, _spliced, _mended_png, _flipped, _flipped)
    return rng.choice(ways)(rng, data)


def _flipped(rng: random.Random, data: bytearray) -> bytes:
    """Some bytes changed, most of them near the start, where formats keep what they believe."""
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        place = rng.randrange(min(len(data), rng.choice((64, 600, len(data)))))
        data[place] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
    return bytes(data)


def _spliced(rng: random.Random, data: bytearray) -> bytes:
    """A piece of another image in the middle, or a piece of its own again and again."""
    other = rng.choice(seeds()) if rng.random() < 0.5 else bytes(data)
    start = rng.randrange(len(other))
    piece = other[start : start + rng.randrange(1, 2_000)] * rng.choice((1, 1, 20))
    place = rng.randrange(len(data))
    return bytes(data[:place]) + piece + bytes(data[place:])


def _mended_png(rng: random.Random, data: bytearray) -> bytes:
    """A PNG whose header lies with a right checksum: what a checksum would otherwise have kept out."""
    if not data.startswith(b"\x89PNG"):
        return _flipped(rng, data)
    header = struct.pack(
        ">IIBBBBB",
        rng.choice((0, 1, 160, 161, 4_000, 7_000)),
        rng.choice((0, 1, 160, 161, 4_000, 7_000)),
        rng.choice((1, 2, 4, 8, 16, 32)),
        rng.choice((0, 2, 3, 4, 6, 7)),
        rng.choice((0, 0, 1)),
        0,
        rng.choice((0, 1, 2)),
    )
    return bytes(data[:12]) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + bytes(data[33:])


def _bomb(rng: random.Random, data: bytearray) -> bytes:
    del data
    edges = (1, 9_000, 60_000, 2**31 - 1)
    return bomb(rng.choice(edges), rng.choice(edges))


def _cut(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(1, len(data))])


def _longer(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data) + rng.randbytes(rng.randrange(1, 4_000))


def _noise(rng: random.Random, data: bytearray) -> bytes:
    del data
    magic = rng.choice(
        (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\x00\x00\x00WEBPVP8 ", b"\x00\x00\x00\x18ftypheic", b"<svg ")
    )
    return magic + rng.randbytes(rng.randrange(1, 3_000))


def _saved(picture: Image.Image, fmt: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, fmt, **options)
    return buffer.getvalue()
