"""What a plan will cost, before the first second of it is spent. Pure.

CPU seconds a million pixels, measured on one machine (docs/transcoder.md): a figure to decide by, not to bill by.
"""

from dataclasses import dataclass

from services.transcoder.codecs import CODECS
from services.transcoder.ladder import bit_rate_cap
from services.transcoder.outputs import Rendition
from services.transcoder.plan import Plan
from services.transcoder.settings import TranscoderSettings

ENCODE = 0.028
"""CPU seconds for each million pixels encoded as H.264, preset veryfast."""
DECODE = 0.0055
"""And decoded."""
FIRST_PASS = 0.7
"""Of the second."""
MEASURING = 0.8
"""Of an H.264 encode: VMAF of every fifth frame."""
SOUND = 0.012
"""CPU seconds a second of sound."""
OF_THE_CAP = 0.6
"""Share of its highest bit rate that a rendition takes on average."""
HONEST = 10
"""How many times the estimate the dearest real sources took; what costs more is stopped."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """CPU seconds of all programs; `seconds` of wall clock on this worker alone; bytes of all outputs; bytes on disk while it lasts."""

    cpu_seconds: float
    seconds: float
    bytes: int
    disk_bytes: int
    parts: int

    def describe(self) -> str:
        """One line for people."""
        return f"{self.parts} segments, about {self.cpu_seconds:.0f} s of CPU time and {self.bytes / 1e6:.1f} MB"


def estimate(plan: Plan, settings: TranscoderSettings) -> Estimate:
    """Before the start; where the source does not say how long it is, as if it were as long as is allowed."""
    duration = plan.duration or settings.max_duration
    frames, video = 0.0, plan.found.video
    if plan.film and video:
        frames = plan.frames or duration * float(video.rate)
    pixels = [rendition.size.width * rendition.size.height / 1e6 * _cost(rendition, plan) for rendition in plan.renditions]
    cpu = frames * (ENCODE * sum(pixels) + (DECODE * video.width * video.height / 1e6 if video and pixels else 0.0))
    cpu += SOUND * duration * len(plan.voices)
    rate = sum(rendition.rate or bit_rate_cap(rendition.size, video.rate) * OF_THE_CAP for rendition in plan.renditions) if video else 0.0
    size = int((rate + 128_000 * len(plan.voices)) * duration / 8)
    return Estimate(
        cpu_seconds=round(cpu, 1),
        seconds=round(cpu / plan.threads, 1),
        bytes=size,
        disk_bytes=2 * size,
        parts=len(plan.film.parts) if plan.film and plan.film.parts else 1,
    )


def _cost(rendition: Rendition, plan: Plan) -> float:
    """In that of H.264, once."""
    return CODECS[rendition.codec].cost * (1 + FIRST_PASS * rendition.two_pass) + MEASURING * plan.scored


def cpu_limit(plan: Plan, share: float, settings: TranscoderSettings) -> int:
    """CPU seconds after which a `share` (0 to 1) of the plan is costlier than any honest one."""
    duration, video = plan.duration or settings.max_duration, plan.found.video
    megapixels = video.width * video.height / 1e6 if video else 0
    rate = max(float(video.rate), 25.0) / 25 if video else 1
    return int(
        120 + share * duration * (2 + rate * HONEST * (megapixels + sum(CODECS[rendition.codec].cost for rendition in plan.renditions)))
    )
