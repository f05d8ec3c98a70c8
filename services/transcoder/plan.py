"""From a probe and a request to a plan: every file to make, and the full argument list of every program that makes it. Pure.

All renditions of a request come from one FFmpeg, so that the source is decoded once (one process for each costs 1.47 × the CPU).
HLS is packaged from the same files by Shaka Packager: FFmpeg's own fMP4 playlists start at 0.067 s, which players jump over.
Paths in a plan are relative to the job's scratch folder, in which the source lies as `source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.transcoder.commands import encode, poster
from services.transcoder.ladder import fit, ladder
from services.transcoder.outputs import SOUND, Rendition
from services.transcoder.probe import Probe
from services.transcoder.progress import Goal
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder import Clip, Transcode
from shared.errors import PermanentError

POSTER_AT = 0.1
MP4_HEIGHTS = {"mp4-480p": 480, "mp4-720p": 720, "mp4-1080p": 1080}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be made. Argument lists leave out the program; an empty one means that there is nothing to do."""

    renditions: tuple[Rendition, ...]
    sound_file: bool
    """Whether the sound is also written alone, as `audio.m4a`."""
    publish: dict[str, str]
    """Artifact name → file, for single files."""
    hls: tuple[Rendition, ...]
    encode: tuple[str, ...]
    posters: tuple[tuple[str, ...], ...]
    """Attempts at a poster, one after the other until one leaves a picture."""
    duration: float | None
    """Seconds of media that the outputs will last; None where the source does not say."""
    slack: float | None
    """Seconds by which an output may be shorter; None where the source's own figure is too vague to hold anybody to it."""
    frames: int | None
    """Frames that will be read from the source, where that is known before."""
    goal: Goal
    """What progress is measured by: an estimate will do."""
    cpu_seconds: int
    notes: tuple[str, ...] = field(default=())
    """What was decided for the user, in sentences."""


def make(request: Transcode, found: Probe, settings: TranscoderSettings, threads: int) -> Plan:
    """The plan. Raises PermanentError where the source lacks what was asked for, or the clip lies outside it."""
    wanted = request.wanted()
    clip = request.clip or Clip()
    duration = clipped(found, clip)
    pictures, single, hls, notes = _pictures(wanted, found)
    sound_file = found.audio is not None and ("audio" in wanted or bool(hls))
    if "audio" in wanted and found.audio is None:
        raise PermanentError("the source has no sound to make an audio file of", type="no-audio", pointer="/source")
    publish = {f"video-{name.removeprefix('mp4-')}.mp4": rendition.file for name, rendition in single.items()}
    publish |= {SOUND: SOUND} if "audio" in wanted else {}
    whole = request.clip is None or (clip.start == 0 and clip.duration is None)
    return Plan(
        renditions=pictures,
        sound_file=sound_file,
        publish=publish,
        hls=hls,
        encode=tuple(encode(pictures, found, clip, settings, threads=threads, sound_file=sound_file)),
        posters=_posters(found, clip, duration, settings) if request.poster else (),
        duration=duration,
        slack=_slack(found),
        frames=_frames(found) if whole else None,
        goal=_goal(found, duration) if pictures else Goal(duration, None),
        cpu_seconds=cpu_budget(found, duration or settings.max_duration, len(pictures)),
        notes=tuple(notes),
    )


def clipped(found: Probe, clip: Clip) -> float | None:
    """How long the outputs will be, in seconds. Raises PermanentError for a clip that starts after the end."""
    whole = (found.video and found.video.duration) or found.duration
    if whole is None:
        return clip.duration
    if clip.start >= whole:
        raise PermanentError(
            f"the clip starts at {clip.start:g} s, but the source lasts only {whole:.3f} s", type="invalid-request", pointer="/clip/start"
        )
    return min(whole - clip.start, clip.duration or whole)


def _pictures(wanted: Sequence[str], found: Probe) -> tuple[tuple[Rendition, ...], dict[str, Rendition], tuple[Rendition, ...], list[str]]:
    """Each size once, however many outputs need it: all renditions, those by MP4 preset, those of HLS, and what to tell."""
    if found.video is None:
        moving = [preset for preset in wanted if preset != "audio"]
        if moving:
            raise PermanentError(
                f"the source has no picture, which {moving[0]} needs; the preset audio would do", type="no-video", pointer="/source"
            )
        return (), {}, (), []
    display = found.video.display
    mp4 = {name: fit(display, MP4_HEIGHTS[name]) for name in wanted if name in MP4_HEIGHTS}
    steps = ladder(display) if "hls" in wanted else []
    sizes = sorted({*mp4.values(), *steps}, key=lambda size: (size.short, size.width, size.height), reverse=True)
    sounding = set(mp4.values()) if found.audio else set()
    by_size = {size: Rendition(size, f"{size.width}x{size.height}.mp4", size in sounding) for size in sizes}
    notes = [
        f"{name}: the source is only {size.width}×{size.height}, and nothing is upscaled"
        for name, size in mp4.items()
        if size.short < MP4_HEIGHTS[name] - 1
    ]
    if found.video.hdr:
        notes.append(f"{found.video.hdr} high dynamic range was tone-mapped to BT.709, which every screen can show")
    if found.video.interlaced:
        notes.append("interlaced frames were deinterlaced")
    return tuple(by_size.values()), {name: by_size[size] for name, size in mp4.items()}, tuple(by_size[size] for size in steps), notes


def _posters(found: Probe, clip: Clip, duration: float | None, settings: TranscoderSettings) -> tuple[tuple[str, ...], ...]:
    """A tenth of the way in, preferably where there is light; the very first frame where that is past the last one."""
    if found.video is None:
        return ()
    at = clip.start + (duration or 0) * POSTER_AT
    tries = ((at, True), (at, False), (clip.start, False))
    return tuple(tuple(poster(found.video, when, settings, lit=lit)) for when, lit in tries)


def _frames(found: Probe) -> int | None:
    """The container's frame count, where it agrees with its own duration; an edit list or a variable rate makes it a guess."""
    video = found.video
    if video is None or video.frames is None or video.duration is None or not video.rate:
        return None
    return video.frames if abs(video.frames - video.duration * float(video.rate)) <= 1 else None


def _goal(found: Probe, duration: float | None) -> Goal:
    rate = float(found.video.rate) if found.video else 0.0
    return Goal(duration, round(duration * rate) or None if duration else None)


def _slack(found: Probe) -> float | None:
    """An MP4's index is exact; a Matroska header's duration is that of its longest stream; other formats estimate."""
    if found.video is None:
        return None
    if "mov" in found.container and found.video.duration and found.video.rate:
        return 2 / float(found.video.rate) + 0.05
    return 1.0 + 0.02 * (found.duration or 0) if "matroska" in found.container else None


def cpu_budget(found: Probe, duration: float, renditions: int) -> int:
    """CPU seconds after which a source is costlier than any honest one: ten times what the dearest real ones took."""
    megapixels = found.video.width * found.video.height / 1e6 if found.video else 0
    rate = max(float(found.video.rate), 25.0) / 25 if found.video else 1
    return int(120 + duration * (2 + rate * 10 * (megapixels + renditions)))
