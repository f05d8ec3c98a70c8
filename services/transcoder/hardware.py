"""Hardware encoders: FFmpeg's options for each kind, and for the trial that shows whether one works here. Pure.

What is asked of them is what software does: constant quality under a cap, or a bit rate; keyframes where they are forced and nowhere else,
each an IDR. An encoder that does otherwise is found out when the output is checked, like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["nvenc", "vaapi", "qsv"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are tried."""
ENCODERS: Mapping[str, str] = {"h264": "h264", "h265": "hevc", "av1": "av1"}
"""Codec → the first half of FFmpeg's name for its hardware encoders. VP9 is left to software: NVENC has none."""
RENDER_NODE = "/dev/dri/renderD128"
TAGS = {"h265": ("-tag:v", "hvc1")}
TRIAL_SIZE = "640x360"
"""Some encoders refuse pictures that are smaller than 145 × 49."""
TRIAL_FRAMES = 10


@dataclass(frozen=True, slots=True)
class Hardware:
    """What was found on this machine: `kind` can encode `codecs`; None: nothing, or nobody looked. `tried`: why not the others."""

    kind: Kind | None = None
    codecs: tuple[str, ...] = ()
    tried: Mapping[str, str] = field(default_factory=dict)

    def encoder(self, codec: str) -> Kind | None:
        """Which kind encodes this codec here; None for software."""
        return self.kind if codec in self.codecs else None


def name(kind: Kind, codec: str) -> str:
    """FFmpeg's name of the encoder."""
    return f"{ENCODERS[codec]}_{kind}"


def opening(kind: Kind) -> list[str]:
    """Options before the first input."""
    return ["-vaapi_device", RENDER_NODE] if kind == "vaapi" else []


def ending(kind: Kind) -> tuple[str, ...]:
    """The filters that end a chain: pictures as the encoder takes them."""
    return ("format=nv12", "hwupload") if kind == "vaapi" else ("format=nv12",)


def writing(kind: Kind, codec: str, *, quality: int | None, rate: int | None, cap: int) -> list[str]:
    """The options of one output: `quality` as software's crf, or `rate` bits a second; at most `cap`."""
    bits = ["-maxrate", str(cap), "-bufsize", str(2 * cap)]
    return ["-c:v", name(kind, codec), *TAGS.get(codec, ()), *OPTIONS[kind](quality, rate, cap), *bits]


def _nvenc(quality: int | None, rate: int | None, cap: int) -> list[str]:
    del cap
    aim = ["-b:v", str(rate)] if rate else ["-b:v", "0", "-cq", str(quality)]
    return ["-preset", "p5", "-tune", "hq", "-rc", "vbr", *aim, "-no-scenecut", "1", "-forced-idr", "1", "-strict_gop", "1"]


def _vaapi(quality: int | None, rate: int | None, cap: int) -> list[str]:
    if rate:
        return ["-rc_mode", "VBR", "-b:v", str(rate)]
    return ["-rc_mode", "QVBR", "-global_quality", str(quality), "-b:v", str(cap * 2 // 3)]


def _qsv(quality: int | None, rate: int | None, cap: int) -> list[str]:
    aim = ["-b:v", str(rate)] if rate else ["-global_quality", str(quality), "-b:v", str(cap * 2 // 3)]
    return ["-preset", "medium", *aim, "-forced_idr", "1", "-adaptive_i", "0", "-adaptive_b", "0"]


OPTIONS = {"nvenc": _nvenc, "vaapi": _vaapi, "qsv": _qsv}


def trial(kind: Kind, codec: str) -> list[str]:
    """FFmpeg's arguments for a real encode of a picture that it makes itself, with the very options that a film would get."""
    quiet = ["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning"]
    source = ["-f", "lavfi", "-i", f"testsrc2=size={TRIAL_SIZE}:rate=25"]
    writes = writing(kind, codec, quality=25, rate=None, cap=2_000_000)
    grid = ["-g", "100", "-force_key_frames", "0.18"]
    return [
        *quiet,
        *opening(kind),
        *source,
        "-vf",
        ",".join(ending(kind)),
        "-frames:v",
        str(TRIAL_FRAMES),
        *writes,
        *grid,
        "-f",
        "null",
        "-",
    ]
