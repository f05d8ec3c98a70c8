"""A user's photo to pixels, believing nothing: the only door through which foreign bytes enter the service.

Formats by allow-list (never SVG), a limit on bytes and on declared pixels before anything is decoded, truncated files refused,
Pillow's decompression-bomb *warnings* treated as errors, orientation from EXIF honoured, every other piece of metadata dropped.
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from shared.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

log = structlog.get_logger()

POINTER = "/photo"
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
_MINIMUM_EDGE = 32
_SMOOTH_MODES = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
"""Modes whose values can be averaged: a palette's numbers cannot."""
# What Pillow's decoders are known to raise on broken files. Listed, so that a time limit or a cancel passes through.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, AssertionError, MemoryError, struct.error)


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright photo: `pixels` of shape (height, width, 3), sRGB, 0 to 255. Multiply by `scale` for the file's own pixels."""

    pixels: "npt.NDArray[np.uint8]"
    scale: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may be: its file's bytes, the pixels that it declares; no edge stays longer than `working_edge`."""

    max_bytes: int
    max_pixels: int
    working_edge: int


def decode(path: Path, limits: Limits, pointer: str = POINTER) -> Photo:
    """The photo in `path`, reduced to the working edge.

    Raises:
        PermanentError: `empty-photo`, `photo-too-large`, `unsupported-photo` or `damaged-photo`, each with what to do; `pointer` is the
            command's field that named the file.
    """
    try:
        return _decode(path, limits)
    except PermanentError as refused:
        refused.pointer = pointer
        raise


def _decode(path: Path, limits: Limits) -> Photo:
    size = path.stat().st_size
    if size == 0:
        raise PermanentError("The photo is empty: 0 bytes. Upload it again.", type="empty-photo", pointer=POINTER)
    if size > limits.max_bytes:
        raise PermanentError(
            f"The photo has {size:,} bytes; at most {limits.max_bytes:,} are accepted. Make it smaller.",
            type="photo-too-large",
            pointer=POINTER,
        )
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - 15 MB of codecs that a seed never needs

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _read(path, limits.max_pixels, limits.working_edge)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
            raise _too_many_pixels(limits.max_pixels) from bomb
        except UnidentifiedImageError as unknown:
            raise PermanentError(
                "This is no photo that is accepted: use JPEG, PNG, WebP or HEIC.", type="unsupported-photo", pointer=POINTER
            ) from unknown
        except _BROKEN as broken:
            log.info("photo_refused", error=type(broken).__name__)
            raise PermanentError(
                "The photo is damaged or cut short, so it cannot be read to its end. Upload it again.",
                type="damaged-photo",
                pointer=POINTER,
            ) from broken


def _read(path: Path, max_pixels: int, working_edge: int) -> Photo:
    import numpy as np  # noqa: PLC0415 - heavy
    import pi_heif  # noqa: PLC0415 - heavy
    from PIL import Image, ImageOps  # noqa: PLC0415 - as in decode

    pi_heif.register_heif_opener()
    with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise _too_many_pixels(max_pixels, f"{width} × {height}")
        if min(width, height) < _MINIMUM_EDGE:
            raise PermanentError(
                f"The photo has {width} × {height} pixels; at least {_MINIMUM_EDGE} each way are needed.",
                type="unsupported-photo",
                pointer=POINTER,
            )
        if image.format in {"JPEG", "MPO"}:
            # libjpeg decodes at 1/2, 1/4 or 1/8 for a fraction of time and memory, never below what is asked
            image.draft("RGB", (working_edge, working_edge))
        image.load()
        # Reduce first: every later step copies, and 60 megapixels are 180 MB a copy.
        small = image if image.mode in _SMOOTH_MODES else to_srgb(image)
        small.thumbnail((working_edge, working_edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
        ImageOps.exif_transpose(small, in_place=True)
        colour = to_srgb(small)
    return Photo(np.asarray(colour, dtype=np.uint8).copy(), max(width, height) / max(colour.size))


def to_srgb(image: "Image.Image") -> "Image.Image":
    """Any mode as RGB: 16 bits are scaled, transparency lies on white, an embedded colour profile is honoured where it is sound."""
    import io  # noqa: PLC0415 - beside the others

    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image, ImageCms  # noqa: PLC0415 - heavy

    if image.mode.startswith(("I", "F")):
        deep = np.asarray(image, dtype=np.float32)
        return Image.fromarray((deep / max(float(deep.max()), 1.0) * 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except ImageCms.PyCMSError:
            # A profile that contradicts its image is common and harmless: the plain values look nearly right.
            return image.convert("RGB")
        return converted if converted is not None else image.convert("RGB")
    return image.convert("RGB")


def _too_many_pixels(limit: int, found: str = "more") -> PermanentError:
    return PermanentError(
        f"The photo declares {found} pixels; at most {limit / 1e6:.0f} million are accepted. Make it smaller.",
        type="photo-too-large",
        pointer=POINTER,
    )
