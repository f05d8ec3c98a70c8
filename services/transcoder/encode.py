"""FFmpeg and Shaka Packager at work: their progress told, their failures explained, their limits kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.transcoder.binary import Tools
from services.transcoder.failures import explain
from services.transcoder.outputs import POSTER
from services.transcoder.plan import Plan
from services.transcoder.process import Limits, monotonic
from services.transcoder.progress import Goal, Snapshot, eta
from services.transcoder.run import Ended, Watch, run
from services.transcoder.settings import TranscoderSettings
from shared.errors import TransientError
from shared.job import Checkpoint, Progress

INCONSISTENT = "output-inconsistent"
"""The type of the error for an output that is not what was planned."""
PACKAGER_MEMORY_MB = 4_096
SMALL_CPU_SECONDS = 600
PATIENCE = 4
"""Wall-clock seconds for each CPU second that a program may use: it is niced, and others may be at work."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and with what a plan is carried out."""

    tools: Tools
    settings: TranscoderSettings
    scratch: Path
    checkpoint: Checkpoint

    def limits(self, cpu_seconds: int, memory_mb: int | None = None, file_bytes: int | None = None) -> Limits:
        """For one program."""
        given = self.settings
        return Limits(cpu_seconds, memory_mb or given.memory_mb, file_bytes or given.max_output_bytes, given.nice)

    def watch(self) -> Watch:
        """Over a program that has no progress to tell."""
        return Watch(self.checkpoint, self.settings.stall_seconds)


@dataclass(frozen=True, slots=True)
class Teller:
    """Where an encode's progress goes: to `report`, from `start` to `end`, each line beginning with `name`."""

    report: Progress
    start: float = 0.0
    end: float = 1.0
    name: str = ""
    step: str = "encode"
    """What the encoder is said to be doing."""

    def within(self, start: float, end: float, name: str = "") -> "Teller":
        """A share of this one's range."""
        width = self.end - self.start
        return replace(self, start=self.start + width * start, end=self.start + width * end, name=name or self.name)

    def named(self, step: str) -> "Teller":
        """The same range, for another step than the encoding."""
        return replace(self, step=step)

    def tell(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Report a fraction of the range."""
        named = ": ".join(piece for piece in (self.name, detail) if piece)
        self.report(self.start + (self.end - self.start) * fraction, step, named, eta_seconds)


def encode(arguments: Sequence[str], goal: Goal, cpu_seconds: int, bench: Bench, teller: Teller) -> Ended:
    """Run FFmpeg with these arguments. Raises a JobError that says why it failed."""
    began = monotonic()

    def tell(at: Snapshot) -> None:
        done, elapsed = goal.fraction(at), monotonic() - began
        teller.tell(done, teller.step, goal.describe(at, elapsed), eta(done, elapsed))

    limits = bench.limits(cpu_seconds)
    watch = Watch(bench.checkpoint, bench.settings.stall_seconds, PATIENCE * cpu_seconds, on_progress=tell)
    try:
        ended = run([str(bench.tools.ffmpeg.path), *arguments], cwd=bench.scratch, limits=limits, watch=watch)
    except TimeoutError as late:
        raise TransientError(f"FFmpeg was not done after {PATIENCE * cpu_seconds} s; it was killed", type="encoder-slow") from late
    if ended.status != 0:
        raise explain("FFmpeg", ended, limits)
    if not ended.last.finished:
        raise TransientError("FFmpeg ended without saying that it had finished", type="encoder-failed")
    return ended


def copy(arguments: Sequence[str], bench: Bench, seconds: float = 0.0) -> Ended:
    """Run FFmpeg where it encodes nothing: joins files, or looks through one that lasts so many `seconds`. Raises a JobError."""
    limits = bench.limits(SMALL_CPU_SECONDS + int(seconds))
    ended = run([str(bench.tools.ffmpeg.path), *arguments], cwd=bench.scratch, limits=limits, watch=bench.watch())
    if ended.status != 0:
        cause = explain("FFmpeg", ended, limits)
        raise TransientError(f"one of our own files could not be used: {cause.detail}", type="output-inconsistent")
    return ended


def draw_poster(plan: Plan, bench: Bench) -> str | None:
    """The poster's file name; None where there is none to make. Raises a JobError."""
    limits = bench.limits(SMALL_CPU_SECONDS)
    path = bench.scratch / POSTER
    for attempt in plan.posters:
        ended = run([str(bench.tools.ffmpeg.path), *attempt], cwd=bench.scratch, limits=limits, watch=bench.watch())
        if path.is_file() and path.stat().st_size > 0:
            return POSTER
        if ended.status < 0:
            raise explain("FFmpeg", ended, limits)
    return None
