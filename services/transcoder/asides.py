"""What is made of a film besides the film: thumbnails, storyboard, preview. Which passes over the source that takes; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.transcoder.probe import Video
from services.transcoder.settings import TranscoderSettings
from services.transcoder.stills import Pass, Span, board, preview, storyboard, thumbnails
from services.transcoder.timeline import Timeline
from shared.contracts.transcoder import Transcode
from shared.errors import PermanentError

NEAR = 2.0
"""A storyboard is made of keyframes where none is further from the next than so many tiles are."""
VTT = "storyboard/storyboard.vtt"
ASIDES = ("thumbnails", "storyboard", "preview")


@dataclass(frozen=True, slots=True)
class Asides:
    """The passes, and what is written without one: artifact name → text."""

    passes: tuple[Pass, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


def asides(
    request: Transcode, video: Video | None, timeline: Timeline | None, start: float, duration: float | None, settings: TranscoderSettings
) -> Asides:
    """What the request asks for. Raises PermanentError where the source has no picture, or does not say how long it is."""
    asked = [name for name in ASIDES if getattr(request, name) is not None]
    if not asked:
        return Asides()
    if video is None:
        raise PermanentError(f"the source has no picture, which {asked[0]} needs", type="no-video", pointer=f"/{asked[0]}")
    if not duration:
        raise PermanentError(
            f"the source does not say how long it is, which {asked[0]} needs; transcode it first", type="no-duration", pointer="/source"
        )
    span = Span(start, duration)
    passes = thumbnails(request.thumbnails, video, span, settings) if request.thumbnails else []
    texts: list[tuple[str, str]] = []
    if request.storyboard:
        plan = board(request.storyboard, video, span)
        passes.append(storyboard(plan, video, span, settings, keyframes=_dense(timeline, plan.every * NEAR)))
        texts.append((VTT, plan.vtt(duration)))
    if request.preview:
        passes.append(preview(request.preview, video, span, settings))
    return Asides(tuple(passes), tuple(texts))


def _dense(timeline: Timeline | None, seconds: float) -> bool:
    """Whether no two keyframes are further apart than that; unknown is no."""
    if timeline is None:
        return False
    ends: Sequence[int] = [*timeline.keys, len(timeline.times)]
    return all(float(timeline.seconds(after) - timeline.seconds(before)) <= seconds for before, after in pairwise(ends))
