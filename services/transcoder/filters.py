"""The filter graph: one decoded picture in, every size out. Pure."""

from collections.abc import Sequence

from services.transcoder.ladder import Size
from services.transcoder.mark import Mark
from services.transcoder.probe import Video

TONE_MAP = (
    "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=tonemap=hable:desat=0,"
    "zscale=transfer=bt709:matrix=bt709:range=limited,format=yuv420p"
)
"""High dynamic range to BT.709: in linear light, by Hable's curve (J. Hable, "Uncharted 2: HDR Lighting", GDC 2010)."""

PLAIN = ("format=yuv420p",)
"""What encoders are given."""


def graph(
    video: Video,
    sizes: Sequence[Size],
    last: Sequence[str] = PLAIN,
    *,
    ends: Sequence[Sequence[str]] | None = None,
    cut: Sequence[str] = (),
    tone_at: Size | None = None,
    mark: Mark | None = None,
) -> str:
    """A -filter_complex from stream `video` to pads [v0], [v1] … in the order of `sizes`; `last` ends each chain.

    FFmpeg turns a rotated picture upright before the graph sees it, so sizes are upright ones. `cut` comes after deinterlacing, which
    looks at the frames beside, and before all that is dear. Tone mapping is, so it happens once, at `tone_at` or else the largest size.
    `mark` is input 1. With `ends` each chain has one of its own instead of `last`.
    """
    before = ["bwdif=mode=send_frame:deint=interlaced", f"settb={video.tick}"] if video.interlaced else []
    before += cut
    if video.hdr:
        before += [_scale(tone_at or sizes[0]), TONE_MAP]
    outputs = "".join(f"[s{number}]" for number in range(len(sizes)))
    head = ",".join([*before, f"split={len(sizes)}"])
    chains = [f"[0:{video.index}]{head}{outputs}", *(mark.chain(sizes) if mark else [])]
    for number, (size, end) in enumerate(zip(sizes, ends or [last] * len(sizes), strict=True)):
        marked = f"[p{number}];[p{number}][k{number}]{mark.overlay(size)}," if mark else ","
        chains.append(f"[s{number}]{_scale(size)},setsar=1:1{marked}{','.join(end)}[v{number}]")
    return ";".join(chains)


def _scale(size: Size) -> str:
    return f"scale={size.width}:{size.height}:flags=bicubic"
