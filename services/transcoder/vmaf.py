"""How like its source an encoded part looks, by Netflix's VMAF (libvmaf's built-in model vmaf_v0.6.1): arguments and figures. Pure.

The source goes through the very filters that it went through before the encoder, so that what is measured is the encoder's loss alone,
at the output's own size. Frames are held against each other by their number: a film whose frames cannot be counted has no such figure.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from services.transcoder.commands import reading
from services.transcoder.film import Film
from services.transcoder.filters import PLAIN, graph
from services.transcoder.outputs import Rendition
from services.transcoder.parts import Part
from services.transcoder.settings import TranscoderSettings

EVERY = 5
"""Of so many frames one is measured. On Big Buck Bunny the mean of a fifth differed by 0.2 (67.7 for 67.5)."""
COUNTED = "settb=1/25,setpts=N"


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured: `mean` and `low` (the worst frame), 0 to 100; over a part of `frames` frames, which takes `bytes`."""

    mean: float
    low: float
    frames: int
    bytes: int


def arguments(film: Film, part: Part, pictures: Sequence[Rendition], settings: TranscoderSettings, *, threads: int) -> list[str]:
    """One FFmpeg that measures `pictures` of a part, from one decode of the source. Each leaves a file of its own (`told`)."""
    opening = reading(film, part, settings, threads)
    for rendition in pictures:
        opening += ["-threads", str(threads), "-i", f"file:{rendition.part(part.number)}"]
    sizes = [rendition.size for rendition in pictures]
    chains = [graph(film.video, sizes, [*PLAIN, COUNTED], cut=film.cut(part), tone_at=film.top, mark=film.mark)]
    first = 2 if film.mark else 1
    for number, rendition in enumerate(pictures):
        chains.append(f"[{number + first}:v]{','.join([*PLAIN, COUNTED])}[m{number}]")
        options = f"n_subsample={EVERY}:n_threads={threads}:log_fmt=json:log_path={told(part.number, rendition)}"
        chains.append(f"[m{number}][v{number}]libvmaf={options}[q{number}]")
    maps = [option for number in range(len(pictures)) for option in ("-map", f"[q{number}]", "-fps_mode", "passthrough", "-f", "null", "-")]
    return [*opening, "-filter_complex", ";".join(chains), *maps]


def told(number: int, rendition: Rendition) -> str:
    """The file that libvmaf writes its figures to."""
    return f"vmaf-{rendition.part(number)}.json"


def read(text: str, frames: int, size: int) -> Score:
    """Libvmaf's JSON. Raises ValueError where it says nothing."""
    try:
        pooled = json.loads(text)["pooled_metrics"]["vmaf"]
        mean, low = float(pooled["mean"]), float(pooled["min"])
    except (KeyError, TypeError) as odd:
        msg = "it holds no VMAF"
        raise ValueError(msg) from odd
    if not isfinite(mean) or not isfinite(low):
        msg = f"VMAF cannot be {mean}"
        raise ValueError(msg)
    return Score(mean, low, frames, size)


def together(scores: Sequence[Score]) -> Score:
    """Of a whole film: parts by their frames."""
    frames = sum(score.frames for score in scores)
    mean = sum(score.mean * score.frames for score in scores) / frames
    return Score(mean, min(score.low for score in scores), frames, sum(score.bytes for score in scores))
