"""Success is more than an exit status of 0: every output is probed and held against the plan.

FFmpeg exits with 0 from a source that ends early, and after a SIGTERM that left a playable, shorter file.
"""

from collections.abc import Callable
from pathlib import Path

from services.transcoder.outputs import SOUND, Rendition
from services.transcoder.plan import Plan
from services.transcoder.probe import Probe
from services.transcoder.progress import Snapshot
from shared.errors import PermanentError, TransientError

FRAME_SLACK = 1
"""Frames by which a container may miscount: an edit list may hide the last one."""

Ask = Callable[[Path], Probe]
"""Probes one of our own files."""


def verify(plan: Plan, last: Snapshot, scratch: Path, ask: Ask) -> dict[str, Probe]:
    """Probe all files of the plan; by file name.

    Raises PermanentError where the source was shorter than it says, TransientError where the fault is ours.
    """
    _whole(plan, last)
    probes = {rendition.file: _picture(rendition, plan, last, ask(scratch / rendition.file)) for rendition in plan.renditions}
    if plan.sound_file:
        found = ask(scratch / SOUND)
        if found.audio is None or not found.duration:
            raise _ours(f"{SOUND} has no sound")
        probes[SOUND] = found
    return probes


def _whole(plan: Plan, last: Snapshot) -> None:
    """Were all of the source's frames read? What was dropped or doubled to keep time is accounted for."""
    read = last.frame + last.dropped - last.duplicated
    if plan.frames is not None and read < plan.frames - FRAME_SLACK:
        raise PermanentError(
            f"the source is damaged or cut off: {read} of its {plan.frames} frames could be read", type="invalid-media", pointer="/source"
        )
    if plan.renditions and last.frame == 0:
        raise PermanentError("the source is damaged: none of its frames could be read", type="invalid-media", pointer="/source")


def _picture(rendition: Rendition, plan: Plan, last: Snapshot, found: Probe) -> Probe:
    video = found.video
    if video is None or video.duration is None:
        raise _ours(f"{rendition.file} has no picture")
    if (video.width, video.height) != (rendition.size.width, rendition.size.height):
        raise _ours(f"{rendition.file} is {video.width}×{video.height}")
    if video.frames != last.frame:
        raise _ours(f"{rendition.file} has {video.frames} of {last.frame} frames")
    if rendition.sound and found.audio is None:
        raise _ours(f"{rendition.file} has no sound")
    if plan.slack is not None and plan.duration is not None and video.duration < plan.duration - plan.slack:
        raise PermanentError(
            f"the source is damaged or cut off: {video.duration:.2f} of its {plan.duration:.2f} s could be read",
            type="invalid-media",
            pointer="/source",
        )
    return found


def _ours(what: str) -> TransientError:
    return TransientError(f"an output is not what was planned: {what}", type="output-inconsistent")
