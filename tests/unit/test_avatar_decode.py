"""The door for foreign bytes: what comes in, what is refused, and with which words."""

import base64
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.avatar.decode import Limits, Photo, decode
from shared.errors import PermanentError

GRADIENT = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (100, 1)).repeat(3).reshape(100, 200, 3))

HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERAAAEA"
    "AQAAAAABegABAAAAAAAAABsAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmND"
    "AQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgA"
    "AAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAA"
    "AAABAAEEgQIDBAAAACNtZGF0AAAAFygBrxmA9wfIs5zpUvj5Expa27f2O3o/"
)


def saved(image: Image.Image, fmt: str, **options: object) -> bytes:
    """The image as a file."""
    buffer = BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that declares a giant picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def take(tmp_path: Path, data: bytes, **limits: int) -> Photo:
    """Decode `data` under small limits."""
    path = tmp_path / "photo"
    path.write_bytes(data)
    return decode(path, Limits(**{"max_bytes": 1_000_000, "max_pixels": 40_000_000, "working_edge": 512, **limits}))


HOSTILE = {
    "nothing": (b"", "empty-photo"),
    "text": (b"hello, this is no photo" * 50, "unsupported-photo"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'><rect width='64' height='64'/></svg>", "unsupported-photo"),
    "gif": (saved(GRADIENT, "GIF"), "unsupported-photo"),
    "bmp": (saved(GRADIENT, "BMP"), "unsupported-photo"),
    "tiny": (saved(GRADIENT.resize((8, 8)), "PNG"), "unsupported-photo"),
    "truncated jpeg": (saved(GRADIENT.resize((400, 400)), "JPEG")[:-800], "damaged-photo"),
    "truncated png": (saved(GRADIENT, "PNG")[:-60], "damaged-photo"),
    "truncated webp": (saved(GRADIENT.resize((400, 400)), "WEBP", quality=95)[:-300], "damaged-photo"),
    "truncated heic": (base64.b64decode(HEIC)[:-20], "damaged-photo"),
    "header only": (saved(GRADIENT, "JPEG")[:3], "unsupported-photo"),
    "above the limit": (bomb(7_000, 7_000), "photo-too-large"),
    "bomb that Pillow only warns of": (bomb(12_000, 12_000), "photo-too-large"),
    "bomb": (bomb(60_000, 60_000), "photo-too-large"),
    "bytes": (b"\xff\xd8\xff" + b"\0" * 1_000_001, "photo-too-large"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_for_good(tmp_path: Path, name: str) -> None:
    """Each is a permanent error that names the field and says what is wrong."""
    data, expected = HOSTILE[name]
    with pytest.raises(PermanentError) as caught:
        take(tmp_path, data)

    assert (expected, "/photo") == (caught.value.type, caught.value.pointer)


def test_bomb_limit_holds_when_ours_is_wider(tmp_path: Path) -> None:
    """Pillow's own warning stays an error, even where a deployer allows more pixels than it does."""
    with pytest.raises(PermanentError) as caught:
        take(tmp_path, bomb(12_000, 12_000), max_pixels=1_000_000_000)

    assert "photo-too-large" == caught.value.type


def test_heic_is_accepted(tmp_path: Path) -> None:
    """What iPhones send comes in too: a ramp of 64 × 64 pixels, made with pillow-heif."""
    photo = take(tmp_path, base64.b64decode(HEIC))

    assert (64, 64, 3) == photo.pixels.shape
    assert int(photo.pixels[32, 2, 0]) < 20
    assert int(photo.pixels[32, 61, 0]) > 235


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_accepted_formats(tmp_path: Path, fmt: str) -> None:
    """The three web formats come in as RGB bytes."""
    photo = take(tmp_path, saved(GRADIENT, fmt))

    assert (100, 200, 3) == photo.pixels.shape
    assert 1.0 == photo.scale


def test_orientation_is_honoured(tmp_path: Path) -> None:
    """A photo taken sideways stands upright: EXIF orientation 6 means a quarter turn clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = take(tmp_path, saved(GRADIENT, "JPEG", exif=exif))

    assert (200, 100, 3) == photo.pixels.shape
    assert int(photo.pixels[0, 50, 0]) < int(photo.pixels[-1, 50, 0])


def test_large_photos_are_reduced(tmp_path: Path) -> None:
    """The working copy keeps to its edge; the scale leads back to the file's own pixels."""
    photo = take(tmp_path, saved(GRADIENT.resize((2000, 1000)), "JPEG"))

    assert (256, 512) == photo.pixels.shape[:2]
    assert 2000 / 512 == photo.scale


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    """Grey, palette, transparent and print colours all come out as three channels."""
    fmt = "JPEG" if mode == "CMYK" else "PNG"

    assert (100, 200, 3) == take(tmp_path, saved(GRADIENT.convert(mode), fmt)).pixels.shape


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    """A see-through pixel is white, not the black that hides beneath it."""
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))

    assert (take(tmp_path, saved(clear, "PNG")).pixels == 255).all()


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    """A 16-bit grey ramp keeps its ramp."""
    deep = Image.fromarray(np.tile(np.linspace(0, 65_535, 64), (64, 1)).astype(np.uint16))
    row = take(tmp_path, saved(deep, "PNG")).pixels[32, :, 0]

    assert int(row[0]) < 5
    assert 120 < int(row[32]) < 136
    assert int(row[-1]) > 250
