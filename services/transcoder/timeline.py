"""When each frame of a source is shown, read from its packets: what cuts, exact counts and restored times stand on.

A container's own frame count and rate are hearsay (Matroska and MPEG-TS have none, a telephone's rate varies), so every packet's
timestamp is read once, without decoding. A source whose packets cannot tell (no timestamps, repeated ones, jumps, a codec that
hides frames in packets) has no timeline, and is encoded in one piece as FFmpeg sees fit.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from services.transcoder.binary import Tools
from services.transcoder.failures import explain
from services.transcoder.intake import guards, local
from services.transcoder.probe import Video
from services.transcoder.process import Limits
from services.transcoder.run import Watch, run
from services.transcoder.settings import TranscoderSettings
from shared.job import Checkpoint

ONE_PACKET_A_FRAME = frozenset(
    {"h264", "hevc", "av1", "vp9", "mpeg2video", "mpeg1video", "mpeg4", "prores", "dnxhd", "mjpeg", "ffv1", "huffyuv", "ffvhuff", "utvideo",
     "rawvideo", "cfhd", "vvc", "dvvideo", "png", "qtrle"}
)  # fmt: skip
"""Codecs of which each packet shows one frame. Not VP8: its hidden reference frames are packets of their own."""
COMMON_RATES = tuple(Fraction(n, 1001) * 1000 for n in (24, 30, 48, 60, 120)) + tuple(map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)))
LARGEST_JUMP = 10.0
"""Seconds between two frames above which a broadcast's clock was set anew."""
JUMPY = ("mpegts", "mpeg", "flv", "asf")
JITTER = 0.0006
"""Seconds by which a steady source's frames may be off the grid: Matroska's timestamps are whole milliseconds."""
FILE_BYTES = 2**30
BYTES_A_CPU_SECOND = 20_000_000


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every frame in the order in which it is shown: its time in ticks of the stream's clock, and its packet's bytes."""

    tick: Fraction
    times: "array[int]"
    sizes: "array[int]"
    keys: "array[int]"
    """Indices of frames at which decoding can begin."""
    end: int
    """The tick at which the last frame is no longer shown."""

    def key_before(self, index: int) -> int:
        """The last keyframe at or before frame `index`."""
        return self.keys[bisect_right(self.keys, index) - 1]

    def seconds(self, index: int) -> Fraction:
        """When frame `index` is shown, since the first one; the index after the last is the end."""
        return (self.time(index) - self.times[0]) * self.tick

    def time(self, index: int) -> int:
        """Likewise, in ticks of the stream's clock."""
        return self.times[index] if index < len(self.times) else self.end


def scan(path: Path, video: Video, tools: Tools, settings: TranscoderSettings, *, cwd: Path, checkpoint: Checkpoint) -> Timeline | None:
    """The timeline of the file's picture; None where its packets do not tell. Raises a JobError where the file cannot be read."""
    if video.codec not in ONE_PACKET_A_FRAME:
        return None
    table = cwd / "packets.csv"
    arguments = [str(tools.ffprobe.path), "-v", "level+error", *guards(settings.max_pixels), "-select_streams", str(video.index)]
    arguments += ["-show_entries", "packet=pts,duration,size,flags", "-of", "csv=p=0", "-o", str(table), local(path)]
    limits = Limits(60 + path.stat().st_size // BYTES_A_CPU_SECOND, settings.memory_mb, FILE_BYTES, settings.nice)
    ended = run(arguments, cwd=cwd, limits=limits, watch=Watch(checkpoint, settings.stall_seconds))
    if ended.status != 0:
        raise explain("ffprobe", ended, limits)
    with table.open(encoding="ascii", errors="replace") as lines:
        found = read(lines, video.tick)
    table.unlink()
    return found


def read(lines: Iterable[str], tick: Fraction) -> Timeline | None:
    """What ffprobe wrote, `pts,duration,size,flags` a line, as a timeline; None where they do not make one.

    Frames that the container discards, and those before the first keyframe, which no decoder can show, are left out.
    """
    packets: list[tuple[int, int, int, bool]] = []
    for line in lines:
        pts, duration, size, flags = (line.strip().split(",") + [""] * 4)[:4]
        if not pts.lstrip("-").isdigit():
            if line.strip():
                return None
            continue
        if "D" not in flags:
            packets.append((int(pts), int(duration) if duration.isdigit() else 0, int(size or 0), "K" in flags))
    decoded_last = packets[-1][1] if packets else 0
    packets.sort()
    if any(before[0] == after[0] for before, after in pairwise(packets)):
        return None
    packets = packets[next((at for at, packet in enumerate(packets) if packet[3]), len(packets)) :]
    if not packets:
        return None
    times = array("q", (packet[0] for packet in packets))
    # Where frames are reordered, an MP4 tells how long each is decoded: the last one shown may have a pause from amid the others.
    last = min(packets[-1][1], decoded_last) or packets[-1][1] or (times[-1] - times[-2] if len(times) > 1 else 1)
    keys = array("q", (index for index, packet in enumerate(packets) if packet[3]))
    return Timeline(tick, times, array("q", (packet[2] for packet in packets)), keys, times[-1] + last)


def steady(timeline: Timeline, rate: Fraction) -> Fraction | None:
    """The constant rate that all frames keep, exactly (30000/1001, not 29.97); None where they keep none."""
    named = [common for common in COMMON_RATES if abs(common / rate - 1) < Fraction(1, 500)] if rate else []
    slack = max(float(timeline.tick), JITTER)
    first, tick = timeline.times[0], float(timeline.tick)
    for candidate in [*sorted(named, key=lambda common: abs(common - rate)), *([rate] if rate else [])]:
        step = 1 / float(candidate)
        if all(abs((time - first) * tick - index * step) <= slack for index, time in enumerate(timeline.times)):
            return candidate
    return None


def unbroken(timeline: Timeline, container: str) -> bool:
    """Whether the clock runs on without being set anew, as it may in a broadcast: FFmpeg mends such jumps, exact cuts cannot."""
    if not any(name in container for name in JUMPY):
        return True
    jump = LARGEST_JUMP / float(timeline.tick)
    return all(timeline.times[at + 1] - timeline.times[at] < jump for at in range(len(timeline.times) - 1))
