"""The film as it will be encoded: which frames of the source, at which times, in which parts. Pure data."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from services.transcoder.ladder import Size
from services.transcoder.mark import Mark
from services.transcoder.parts import RUN_UP, Part
from services.transcoder.probe import Video
from shared.contracts.transcoder import Clip

WORST_ERROR_RATE = 0.1
"""Of one part, however long the film."""


@dataclass(frozen=True, slots=True)
class Film:
    """The picture of one request. `parts` is empty where the frames cannot be counted before: then it is encoded as one, as it comes."""

    video: Video
    clip: Clip
    top: Size
    """The largest size that is made of it: where tone mapping happens, whichever sizes one command makes."""
    parts: tuple[Part, ...] = ()
    rate: Fraction | None = None
    """Frames a second of a steady source; None where every frame keeps its own time."""
    offset: float = 0.0
    """Seconds by which the first frame is later than the file's (or clip's) beginning."""
    mark: Mark | None = None
    """What is laid on every frame."""

    @property
    def frames(self) -> int | None:
        """How many there will be; None where that is not known before."""
        return sum(part.count for part in self.parts) or None

    @property
    def clock(self) -> Fraction:
        """The encoder's time base in seconds: a frame where the rate is constant, else the source's own tick."""
        return 1 / self.rate if self.rate else self.video.tick

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end of the last."""
        return float(sum(self.exact_seconds(part) for part in self.parts)) or None

    def exact_seconds(self, part: Part) -> Fraction:
        """How long a part lasts."""
        return part.count / self.rate if self.rate else (part.end - part.start) * self.video.tick

    def last_frame(self, part: Part) -> float | None:
        """When its last frame is shown, in seconds since its first one; None where an older version planned it."""
        if self.rate:
            return float((part.count - 1) / self.rate)
        return float((part.last - part.start) * self.video.tick) if part.last is not None else None

    def seconds(self) -> list[float]:
        """How long each part lasts, rounded to microseconds so that the sums, not the summands, are right."""
        ends = [Fraction(0)]
        for part in self.parts:
            ends.append(ends[-1] + self.exact_seconds(part))
        rounded = [round(end * 1_000_000) for end in ends]
        return [(after - before) / 1_000_000 for before, after in pairwise(rounded)]

    def cut(self, part: Part) -> list[str]:
        """Filters that let exactly the part's frames through, numbered (a steady source) or timed (any other) from 0."""
        times = [f"settb={self.clock}", "setpts=N"] if self.rate else [f"setpts=PTS-({part.start})"]
        return [f"trim=start_pts={part.start}:end_pts={part.end}", *times]

    def error_rate(self, part: Part, allowed: float) -> float:
        """The share of undecodable frames that a part may have: as many frames as the whole film might, and those before its keyframe."""
        run_up = float(self.video.rate) * 2 * RUN_UP if part.seek is not None else 0.0
        shared = max(allowed, min(WORST_ERROR_RATE, allowed * (self.frames or part.count) / part.count))
        return min(shared + run_up / part.count, 1.0)
