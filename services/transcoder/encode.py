"""The dear part: FFmpeg over a whole source, with its progress told, then the poster and the package."""

from dataclasses import dataclass
from pathlib import Path

from services.transcoder import package
from services.transcoder.binary import Tools
from services.transcoder.failures import explain
from services.transcoder.outputs import PACKAGE, POSTER
from services.transcoder.plan import Plan
from services.transcoder.process import Limits, monotonic
from services.transcoder.progress import Snapshot, eta
from services.transcoder.run import Ended, Watch, run
from services.transcoder.settings import TranscoderSettings
from shared.errors import TransientError
from shared.job import Checkpoint, Progress

PACKAGER_MEMORY_MB = 4_096
SMALL_CPU_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and with what a plan is carried out."""

    tools: Tools
    settings: TranscoderSettings
    scratch: Path
    checkpoint: Checkpoint

    def limits(self, cpu_seconds: int, memory_mb: int | None = None) -> Limits:
        """For one program."""
        given = self.settings
        return Limits(cpu_seconds, memory_mb or given.memory_mb, given.max_output_bytes, given.nice)

    def watch(self) -> Watch:
        """Over a program that has no progress to tell."""
        return Watch(self.checkpoint, self.settings.stall_seconds)


def encode(plan: Plan, bench: Bench, progress: Progress, *, start: float, end: float) -> Ended:
    """Make every encoded file of the plan; progress goes from `start` to `end`. Raises a JobError that says why it failed."""
    began, goal = monotonic(), plan.goal

    def tell(at: Snapshot) -> None:
        done, elapsed = goal.fraction(at), monotonic() - began
        progress(start + (end - start) * done, "encode", goal.describe(at, elapsed), eta(done, elapsed))

    limits = bench.limits(plan.cpu_seconds)
    watch = Watch(bench.checkpoint, bench.settings.stall_seconds, on_progress=tell)
    ended = run([str(bench.tools.ffmpeg.path), *plan.encode], cwd=bench.scratch, limits=limits, watch=watch)
    if ended.status != 0:
        raise explain("FFmpeg", ended, limits)
    if not ended.last.finished:
        raise TransientError("FFmpeg ended without saying that it had finished", type="encoder-failed")
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


def pack(plan: Plan, bench: Bench) -> dict[str, package.Playlist]:
    """Make the HLS package, if the plan has one; its playlists by rendition, checked. Raises a JobError."""
    if not plan.hls:
        return {}
    arguments = [str(bench.tools.packager.path), *package.arguments(plan.hls, sound=plan.sound_file)]
    limits = bench.limits(SMALL_CPU_SECONDS, PACKAGER_MEMORY_MB)
    (bench.scratch / PACKAGE).mkdir()
    ended = run(arguments, cwd=bench.scratch, limits=limits, watch=bench.watch())
    if ended.status != 0:
        raise explain("Shaka Packager", ended, limits)
    return package.check(bench.scratch / PACKAGE, plan.hls, sound=plan.sound_file)
