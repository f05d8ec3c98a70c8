"""How pictures are encoded: FFmpeg's options for each codec. Pure.

Whatever the codec, keyframes lie where they are forced and nowhere else, so that parts can be joined and renditions switched at every one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.transcoder import hardware
from services.transcoder.ladder import bit_rate_cap
from services.transcoder.outputs import Rendition
from services.transcoder.parts import GRID_SECONDS

PEAK = 2
"""How many times its average bit rate an output may peak at, unless said."""


@dataclass(frozen=True, slots=True)
class Codec:
    """`crf` is the constant quality that looks like H.264 at 22; `cost` its CPU time, in that of H.264; `cap` its bits likewise."""

    options: tuple[str, ...]
    crf: int
    cost: float
    cap: float = 1.0


CODECS: Mapping[str, Codec] = {
    "h264": Codec(("-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast"), 22, 1.0),
    "h265": Codec(("-c:v", "libx265", "-preset", "veryfast", "-tag:v", "hvc1"), 25, 3.0, 0.7),
    "vp9": Codec(("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1"), 33, 6.0, 0.7),
    "av1": Codec(("-c:v", "libsvtav1", "-preset", "9"), 34, 3.0, 0.6),
}


def encoder(rendition: Rendition) -> str:
    """FFmpeg's name of what encodes it."""
    return hardware.name(rendition.encoder, rendition.codec) if rendition.encoder else CODECS[rendition.codec].options[1]


def writing(rendition: Rendition, rate: Fraction, threads: int, *, statistics: str = "", first: bool = False) -> list[str]:
    """The options of one output of pictures; `statistics` is the file between two passes, of which this is the `first` or the second."""
    codec = CODECS[rendition.codec]
    grid = ["-g", str(int(GRID_SECONDS * max(rate, Fraction(30)) * 2))]
    cap = rendition.cap or int(bit_rate_cap(rendition.size, rate) * codec.cap)
    if rendition.rate:
        cap = rendition.cap or PEAK * rendition.rate
        aim = ["-b:v", str(rendition.rate)]
    else:
        aim = ["-crf", str(codec.crf if rendition.crf is None else rendition.crf)]
    if rendition.encoder:
        quality = codec.crf if rendition.crf is None else rendition.crf
        return [*hardware.writing(rendition.encoder, rendition.codec, quality=quality, rate=rendition.rate, cap=cap), *grid]
    passing = (statistics, 1 if first else 2) if rendition.two_pass else None
    return [*codec.options, *aim, "-pix_fmt", "yuv420p", "-threads", str(threads), *_own(rendition, cap, threads, passing), *grid]


def _own(rendition: Rendition, cap: int, threads: int, passing: tuple[str, int] | None) -> list[str]:
    """The cap on bits a second, and what keeps keyframes off every other place; `passing`: the file between the passes, and which it is."""
    capped = ["-maxrate", str(cap), "-bufsize", str(2 * cap)]
    passes = ["-pass", str(passing[1]), "-passlogfile", passing[0]] if passing else []
    if rendition.codec == "h264":
        return [*capped, "-sc_threshold", "0", *passes]
    if rendition.codec == "h265":  # FFmpeg does not pass -pass on to it
        own = [f"pools={threads}"] if threads else []
        own += [f"pass={passing[1]}", f"stats={passing[0]}"] if passing else []
        return [*capped, "-forced-idr", "1", "-x265-params", ":".join(["scenecut=0:open-gop=0:log-level=error", *own])]
    if rendition.codec == "vp9":  # its constrained quality: the bit rate is the cap
        return [*capped, *passes] if rendition.rate else ["-b:v", str(cap)]
    return [*capped, "-svtav1-params", f"scd=0:enable-force-key-frames=1{f':lp={threads}' if threads else ''}"]
