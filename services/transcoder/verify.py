"""Success is more than an exit status of 0: every output is probed, its packets counted, and held against the plan.

FFmpeg exits with 0 from a source that ends early, and after a SIGTERM that left a playable, shorter file.
"""

from collections.abc import Callable
from pathlib import Path

from services.transcoder.encode import Bench
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
        found = probes[rendition.file] = _picture(rendition, plan, ask(bench.scratch / rendition.file))
        keys.append(_frames(rendition, plan, frames, bench, found))
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
    if plan.slack is not None and plan.duration is not None and lasts < plan.duration - plan.slack:
        raise PermanentError(
            f"the source is damaged or cut off: {lasts:.2f} of its {plan.duration:.2f} s could be read",
            type="invalid-media",
            pointer="/source",
        )
    return found


def _frames(rendition: Rendition, plan: Plan, frames: int, bench: Bench, found: Probe) -> list[int]:
    """Which frames are keyframes, after seeing that every frame is there, each part at its time."""
    assert found.video is not None  # noqa: S101 - `_picture` saw it
    path = bench.scratch / rendition.file
    made = scan(path, found.video, bench.tools, bench.settings, cwd=bench.scratch, checkpoint=bench.checkpoint)
    if made is None or len(made.times) != frames:
        raise _ours(f"{rendition.file} has {len(made.times) if made else 'unclear'} of {frames} frames")
    if plan.film and plan.film.parts:
        _in_time(rendition, plan.film, made)
    return list(made.keys)


def _in_time(rendition: Rendition, film: Film, made: Timeline) -> None:
    """Every part begins when it should, with a keyframe, and the film is as long as it should be: within a frame is not enough."""
    expected = 0.0
    for part, lasts in zip(film.parts, film.seconds(), strict=True):
        at = float(made.seconds(part.first))
        if abs(at - expected) > max(NEAR, float(made.tick)) or part.first not in made.keys:
            raise _ours(f"{rendition.file}: part {part.number} begins at {at:.4f} s, not at {expected:.4f} s")
        expected += lasts
    if len(made.keys) != sum(len(part.keys) for part in film.parts):
        raise _ours(f"{rendition.file} has {len(made.keys)} keyframes")
    if abs(float(made.seconds(len(made.times))) - expected) > float(made.seconds(len(made.times))) / len(made.times) + NEAR:
        raise _ours(f"{rendition.file} lasts {float(made.seconds(len(made.times))):.4f} s, not {expected:.4f} s")


def _ours(what: str) -> TransientError:
    return TransientError(f"an output is not what was planned: {what}", type="output-inconsistent")
