"""A watermark: how an uploaded picture is made safe, how large it is on each size, where it lies. Pure.

Whatever was uploaded is decoded once, in the sandbox, by a demuxer that the first bytes choose from a list of three, and becomes a PNG.
All segments on all workers lay that PNG on whole pixels that follow from the size alone, so nothing moves at a join.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.transcoder.ladder import Size
from shared.contracts.base import Blob
from shared.contracts.transcoder_options import Place
from shared.errors import PermanentError

FORMATS: Mapping[bytes, str] = {b"\x89PNG\r\n\x1a\n": "png_pipe", b"\xff\xd8\xff": "jpeg_pipe", b"RIFF": "webp_pipe"}
"""First bytes → FFmpeg's demuxer. None of them opens another file; SVG, which can, is not among them."""
DECODERS = "png,mjpeg,webp,webp_anim,libwebp,libwebp_anim"
LARGEST_BYTES = 10_000_000
LARGEST_PIXELS = 4_096 * 4_096
KEPT = 2_048
"""Pixels of the longer side that are kept: more than any mark needs."""
UPLOADED = "mark-upload"
DECODED = "mark.png"


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark as it is laid on: `file` (a PNG, named by its own digest) of `width` × `height` pixels lies at `blob`.

    `share` of the picture's width, `margin` of its shorter side.
    """

    file: str
    blob: Blob
    width: int
    height: int
    position: Place
    margin: float
    share: float
    opacity: float

    def size(self, picture: Size) -> Size:
        """Its size on a picture of that size: at least a pixel, and never deformed by more than the rounding."""
        width = max(round(picture.width * self.share), 1)
        return Size(width, max(round(width * self.height / self.width), 1))

    def at(self, picture: Size) -> tuple[int, int]:
        """Its left upper corner, in pixels from the picture's: even, so that its colours fall together with the picture's (4:2:0)."""
        own, gap = self.size(picture), round(picture.short * self.margin)
        across = _along(self.position, ("left", "right"), picture.width - own.width, gap)
        down = _along(self.position, ("top", "bottom"), picture.height - own.height, gap)
        return across // 2 * 2, down // 2 * 2

    def inputs(self) -> list[str]:
        """FFmpeg's options that read it; input 1, after the source."""
        return ["-f", "png_pipe", "-i", f"file:{self.file}"]

    def chain(self, sizes: Sequence[Size]) -> list[str]:
        """Filter chains to pads [k0], [k1] … as large as each of the pictures needs it."""
        pads = "".join(f"[c{number}]" for number in range(len(sizes)))
        seen = ["format=rgba", *([f"colorchannelmixer=aa={self.opacity:g}"] if self.opacity < 1 else []), f"split={len(sizes)}"]
        scaled = [(number, self.size(size)) for number, size in enumerate(sizes)]
        return [
            f"[1:v]{','.join(seen)}{pads}",
            *(f"[c{number}]scale={own.width}:{own.height}:flags=lanczos[k{number}]" for number, own in scaled),
        ]

    def overlay(self, picture: Size) -> str:
        """The filter that lays it on a picture."""
        across, down = self.at(picture)
        return f"overlay=x={across}:y={down}:eof_action=repeat"

    def refuse_unfit(self, picture: Size) -> None:
        """Raise PermanentError where it would stick out of a picture."""
        own, (across, down) = self.size(picture), self.at(picture)
        if min(across, down) >= 0 and across + own.width <= picture.width and down + own.height <= picture.height:
            return
        raise PermanentError(
            f"the watermark would be {own.width}×{own.height} pixels with a margin of {round(picture.short * self.margin)}, which does not "
            f"fit a picture of {picture.width}×{picture.height}: give it less width",
            type="invalid-request",
            pointer="/watermark/width",
        )


def _along(position: str, ends: tuple[str, str], room: int, gap: int) -> int:
    """One coordinate: at the first end, at the last, or in the middle."""
    if ends[0] in position:
        return gap
    return room - gap if ends[1] in position else room // 2


def demuxer(start: bytes) -> str:
    """By a file's first bytes. Raises PermanentError for what is no such picture."""
    for magic, name in FORMATS.items():
        if start.startswith(magic) and (name != "webp_pipe" or start[8:12] == b"WEBP"):
            return name
    raise PermanentError("this is no PNG, JPEG or WebP", type="unsupported-media", pointer="/watermark/upload")


def decode(name: str) -> list[str]:
    """FFmpeg's arguments that make the PNG of an upload: its first picture, upright, with its transparency."""
    guarded = ["-protocol_whitelist", "file", "-format_whitelist", name, "-codec_whitelist", DECODERS, "-max_pixels", str(LARGEST_PIXELS)]
    opening = ["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning", "-xerror", "-err_detect", "explode"]
    fitted = f"scale=w='min(iw,{KEPT})':h='min(ih,{KEPT})':force_original_aspect_ratio=decrease:flags=lanczos"
    writing = ["-frames:v", "1", "-map_metadata", "-1", "-c:v", "png", "-f", "image2", "-update", "1", f"file:{DECODED}"]
    return [*opening, *guarded, "-f", name, "-i", f"file:{UPLOADED}", "-vf", f"format=rgba,{fitted},setsar=1:1", *writing]


def measures(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, from its header (ISO/IEC 15948 §11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
