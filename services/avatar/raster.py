"""From SVG or pixels to the bytes of a picture file, by libvips.

pyvips is imported in the functions: used before a fork, libvips hangs the child for ever, so the worker's parent must never
touch it. The SVG rendered here is always our own; a user's file never comes this way.
"""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from services.avatar.styles import Rights
from shared.contracts.avatar import Format

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MEDIA_TYPES: Final[dict[Format, str]] = {
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
}
FONTS = Path(__file__).parent / "fonts"
_SAVERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "png": (".png", {"compression": 6}),
    "webp": (".webp", {"Q": 90, "effort": 4, "smart_subsample": True}),
    # effort 1 of 9: 0.4 s for 2,048 px; at the default the file is a fifth smaller and takes some five times as long
    "avif": (".avif", {"Q": 70, "effort": 1, "compression": "av1"}),
    "jpeg": (".jpg", {"Q": 90, "optimize_coding": True, "subsample_mode": "off"}),
}
_QUOTES = str.maketrans(dict.fromkeys("\u201e\u201c\u201d", chr(34)))
WHITE = (255.0, 255.0, 255.0)


class RenderError(Exception):
    """This picture could not be rendered; the others of the job may be."""


def render_svg(svg: str, size: int, fmt: Format, rights: Rights) -> bytes:
    """The SVG as a file of `fmt`, `size` × `size` pixels; for `svg` the text itself.

    JPEG knows no transparency: it gets a white ground.

    Raises:
        RenderError: librsvg or the encoder refused.
    """
    if fmt == "svg":
        return svg.encode()
    vips = _vips()
    try:
        image = vips.Image.thumbnail_buffer(svg.encode(), size, height=size, size="force")
        return _encode(image, fmt, rights)
    except vips.Error as error:
        raise RenderError(_first_line(error)) from error


def encode_pixels(pixels: "npt.NDArray[np.uint8]", fmt: Format, rights: Rights) -> bytes:
    """An array of shape (height, width, 3 or 4), sRGB with straight alpha, 0 to 255, as a file of `fmt` (not `svg`).

    Raises:
        RenderError: the encoder refused.
    """
    vips = _vips()
    height, width, bands = pixels.shape
    try:
        image = vips.Image.new_from_memory(pixels.tobytes(), width, height, bands, "uchar").copy(interpretation="srgb")
        return _encode(image, fmt, rights)
    except vips.Error as error:
        raise RenderError(_first_line(error)) from error


def _encode(image: Any, fmt: Format, rights: Rights) -> bytes:
    import pyvips  # noqa: PLC0415 - see the module's docstring

    suffix, options = _SAVERS[fmt]
    flat = image.flatten(background=list(WHITE)) if fmt == "jpeg" and image.hasalpha() else image
    keep = "none"
    if packet := xmp(rights):
        flat = flat.copy()
        flat.set_type(pyvips.GValue.blob_type, "xmp-data", packet)
        flat.set_type(pyvips.GValue.gstr_type, "png-comment-0-Copyright", _plain(rights.attribution or str(rights.licence)))  # PNG only
        keep = "xmp|other"
    encoded: bytes = flat.write_to_buffer(suffix, keep=keep, **options)
    return encoded


def _plain(text: str) -> str:
    """In ASCII: libvips writes UTF-8 into a chunk that readers take for Latin-1 (PNG, 11.3.3.2). The XMP has it to the letter."""
    return text.translate(_QUOTES).encode("ascii", "replace").decode()


def xmp(rights: Rights) -> bytes:
    """An XMP packet (ISO 16684-1) with creator, rights and licence; empty where there is nothing to say."""
    if rights.licence is None:
        return b""
    parts = [
        f"<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>{escape(rights.attribution or rights.licence)}</rdf:li></rdf:Alt></dc:rights>"
    ]
    if rights.creator:
        parts.append(f"<dc:creator><rdf:Seq><rdf:li>{escape(rights.creator)}</rdf:li></rdf:Seq></dc:creator>")
    if rights.licence_url:
        parts.append(f"<xmpRights:WebStatement>{escape(rights.licence_url)}</xmpRights:WebStatement>")
    return (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''"
        " xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmpRights='http://ns.adobe.com/xap/1.0/rights/'>"
        f"{''.join(parts)}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='r'?>"
    ).encode()


@cache
def _vips() -> Any:
    """The pyvips module, with the one font that every machine shall draw letters with."""
    os.environ.setdefault("FONTCONFIG_FILE", str(FONTS / "fonts.conf"))
    import pyvips  # noqa: PLC0415 - see the module's docstring

    # The operation cache pays where one picture is worked on again and again; here it only holds memory.
    pyvips.cache_set_max(0)
    return pyvips


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
