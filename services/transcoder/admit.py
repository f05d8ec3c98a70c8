"""The limits that a source must keep before an encoder sees it. Pure."""

from services.transcoder.probe import Probe, Video
from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError

MIN_SIDE = 2
MAX_SIDE = 16_384
MAX_SHAPE = 16
"""How many times wider than high (or the reverse) a picture may be."""
MAX_CHANNELS = 64


def admit(found: Probe, settings: TranscoderSettings) -> None:
    """Raise PermanentError, with the limit in its sentence, for a source that is too much or nothing at all."""
    if found.video is None and found.audio is None:
        raise _no("it has neither picture nor sound", "invalid-media")
    if found.streams > settings.max_streams:
        raise _no(f"it has {found.streams} streams; {settings.max_streams} are allowed", "too-large")
    if found.duration is not None:
        admit_length(found.duration, settings)
    if found.video is not None:
        _admit_video(found.video, settings)
    if found.audio is not None and found.audio.channels > MAX_CHANNELS:
        raise _no(f"it has {found.audio.channels} audio channels; {MAX_CHANNELS} are allowed", "too-large")


def admit_length(seconds: float, settings: TranscoderSettings) -> None:
    """Raise PermanentError for too long a source: by what its container says, and again by what its packets say."""
    if seconds > settings.max_duration:
        raise _no(f"it lasts {seconds / 3600:.1f} hours; {settings.max_duration / 3600:g} are allowed", "too-large")


def _admit_video(video: Video, settings: TranscoderSettings) -> None:
    width, height = video.display
    size = f"{video.width}×{video.height}"
    if min(video.width, video.height, width, height) < MIN_SIDE:
        raise _no(f"its picture is {size} pixels", "invalid-media")
    if video.width * video.height > settings.max_pixels or max(width, height) > MAX_SIDE:
        raise _no(f"its picture is {size} pixels; {settings.max_pixels} in all and {MAX_SIDE} a side are allowed", "too-large")
    if max(width, height) > MAX_SHAPE * min(width, height):
        raise _no(f"its picture ({width}×{height} as shown) is more than {MAX_SHAPE} times longer than wide", "invalid-media")
    if video.rate > settings.max_frame_rate:
        raise _no(f"it has {float(video.rate):g} frames a second; {settings.max_frame_rate:g} are allowed", "too-large")


def _no(why: str, type: str) -> PermanentError:  # noqa: A002 - RFC 9457's word
    return PermanentError(f"the source cannot be used: {why}", type=type, pointer="/source")
