"""Success is more than an exit status of 0: every output is probed, its packets counted, and held against the plan.

FFmpeg exits with 0 from a source that ends early, and after a SIGTERM that left a playable, shorter file.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from services.transcoder.encode import INCONSISTENT, Bench
from services.transcoder.film import Film
from services.transcoder.outputs import Rendition
from services.transcoder.plan import Plan
from services.transcoder.probe import Probe
from services.transcoder.timeline import Timeline, scan
from shared.errors import PermanentError, TransientError

Ask = Callable[[Path], Probe]
"""Probes one of our own files."""
NEAR = 0.001
"""Seconds by which a part may begin off its time: no more than two clocks' rounding."""


def verify(plan: Plan, bench: Bench, frames: int, ask: Ask) -> dict[str, Probe]:
    """Probe all files of the plan, which were encoded from `frames` frames; by file name.

    Raises PermanentError where the source was shorter than it says, TransientError where the fault is ours.
    """
    probes: dict[str, Probe] = {}
    keys: list[list[int]] = []
    for rendition in plan.renditions:
        found = _picture(rendition, plan, ask(bench.scratch / rendition.file))
        made = _frames(rendition, plan, frames, bench, found)
        keys.append(list(made.keys))
        probes[rendition.file] = _lasting(found, made)
    if any(other != keys[0] for other in keys):
        raise _ours("the renditions have keyframes at different frames")
    for voice in plan.voices:
        single = voice.file in plan.publish.values()
        found = ask(bench.scratch / (plan.published(voice.file) if single else voice.file))
        if found.audio is None or not found.duration:
            raise _ours(f"{voice.file} has no sound")
        probes[voice.file] = found
    return probes


def _picture(rendition: Rendition, plan: Plan, found: Probe) -> Probe:
    video = found.video
    lasts = (video.duration if video else None) or found.duration  # WebM tells how long the file is, not how long its streams are
    if video is None or lasts is None:
        raise _ours(f"{rendition.file} has no picture")
    if (video.width, video.height) != (rendition.size.width, rendition.size.height):
        raise _ours(f"{rendition.file} is {video.width}×{video.height}")
    if len(found.sounds) != len(plan.beside(rendition)):
        raise _ours(f"{rendition.file} has {len(found.sounds)} of {len(plan.beside(rendition))} sounds")
    if len(found.writings) != len(plan.inside(rendition)):
        raise _ours(f"{rendition.file} has {len(found.writings)} of {len(plan.inside(rendition))} texts")
    counted = plan.film is not None and plan.film.parts  # then every frame is looked for, below
    if not counted and plan.slack is not None and plan.duration is not None and lasts < plan.duration - plan.slack:
        raise PermanentError(
            f"the source is damaged or cut off: {lasts:.2f} of its {plan.duration:.2f} s could be read",
            type="invalid-media",
            pointer="/source",
        )
    return found


def _frames(rendition: Rendition, plan: Plan, frames: int, bench: Bench, found: Probe) -> Timeline:
    """When each frame is shown, after seeing that every one is there, each part at its time."""
    assert found.video is not None  # noqa: S101 - `_picture` saw it
    path = bench.scratch / rendition.file
    made = scan(path, found.video, bench.tools, bench.settings, cwd=bench.scratch, checkpoint=bench.checkpoint)
    if made is None or len(made.times) != frames:
        raise _ours(f"{rendition.file} has {len(made.times) if made else 'unclear'} of {frames} frames")
    if plan.film and plan.film.parts:
        _in_time(rendition, plan.film, made)
    return made


def _lasting(found: Probe, made: Timeline) -> Probe:
    """Not shorter than its pictures: FFprobe adds up the times between decoding, of which the last few are no times between showing."""
    return replace(found, duration=max(found.duration or 0.0, round(float(made.end * made.tick), 6)))


def _in_time(rendition: Rendition, film: Film, made: Timeline) -> None:
    """Every part begins when it should, with a keyframe, and ends when it should: within a frame is not enough.

    How long the very last frame is shown is only known where the rate is constant. An MP4 with B-frames keeps durations in the order of
    decoding, so that of a frame with a varying rate is told by the next one's time alone, and the last has none.
    """
    expected, near = 0.0, max(NEAR, float(made.tick))
    for part, lasts in zip(film.parts, film.seconds(), strict=True):
        at, last = float(made.seconds(part.first)), film.last_frame(part)
        if abs(at - expected) > near or part.first not in made.keys:
            raise _ours(f"{rendition.file}: part {part.number} begins at {at:.4f} s, not at {expected:.4f} s")
        shown = float(made.seconds(part.first + part.count - 1))
        if last is not None and abs(shown - expected - last) > near:
            raise _ours(f"{rendition.file}: part {part.number} has its last frame at {shown:.4f} s, not at {expected + last:.4f} s")
        expected += lasts
    if len(made.keys) != sum(len(part.keys) for part in film.parts):
        raise _ours(f"{rendition.file} has {len(made.keys)} keyframes")
    whole = float(made.seconds(len(made.times)))
    if film.rate is not None and abs(whole - expected) > 1 / film.rate + NEAR:
        raise _ours(f"{rendition.file} lasts {whole:.4f} s, not {expected:.4f} s")


def _ours(what: str) -> TransientError:
    return TransientError(f"an output is not what was planned: {what}", type=INCONSISTENT)
