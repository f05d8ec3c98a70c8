"""FFmpeg's argument lists, without the program. Pure.

Paths are relative to the job's scratch folder, in which the source lies as `source`: no user's file name is ever part of a command.
"""

from collections.abc import Sequence
from fractions import Fraction

from services.transcoder.filters import graph
from services.transcoder.intake import guards
from services.transcoder.ladder import Size, bit_rate_cap, fit
from services.transcoder.outputs import POSTER, SOUND, SOURCE, Rendition
from services.transcoder.probe import Probe, Video
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder import Clip

CRF = 22
AUDIO_BIT_RATE = 128_000
AUDIO_RATES = (44_100, 48_000)
POSTER_SHORT_SIDE = 1080
POSTER_SEARCH_SECONDS = 10
KEYFRAME_SECONDS = 2


def _opening(clip: Clip, settings: TranscoderSettings, threads: int) -> list[str]:
    """Options up to and including the input. Seeking before the input decodes from the keyframe before, so a cut is exact."""
    seek = ["-ss", f"{clip.start:.6f}"] if clip.start else []
    length = ["-t", f"{clip.duration:.6f}"] if clip.duration else []
    return [
        *("-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning"),
        *("-max_error_rate", f"{settings.max_error_rate:g}", "-filter_complex_threads", str(threads)),
        *(*guards(settings.max_pixels), "-threads", str(threads), *seek, *length, "-i", _file(SOURCE)),
    ]


def encode(
    pictures: Sequence[Rendition], found: Probe, clip: Clip, settings: TranscoderSettings, *, threads: int, sound_file: bool
) -> list[str]:
    """One FFmpeg for every encoded file of the request: `pictures`, and the sound alone where `sound_file` says so."""
    arguments = [*_opening(clip, settings, threads), "-progress", "pipe:1", "-stats_period", "0.25"]
    if found.video and pictures:
        arguments += ["-filter_complex", graph(found.video, [rendition.size for rendition in pictures])]
        for number, rendition in enumerate(pictures):
            arguments += ["-map", f"[v{number}]", *_h264(rendition.size, found.video.rate, threads)]
            arguments += [*(_sound(found) if rendition.sound else []), *_mp4(), _file(rendition.file)]
    if sound_file:
        arguments += [*_sound(found), "-vn", *_mp4(), _file(SOUND)]
    return arguments


def _h264(size: Size, rate: Fraction, threads: int) -> list[str]:
    """Keyframes on a grid of 2 s and nowhere else, so that renditions can be switched at every one."""
    cap = bit_rate_cap(size, rate)
    return [
        *(
            "-c:v",
            "libx264",
            "-profile:v",
            "high",
            "-preset",
            "veryfast",
            "-crf",
            str(CRF),
            "-pix_fmt",
            "yuv420p",
            "-threads",
            str(threads),
        ),
        *("-maxrate", str(cap), "-bufsize", str(2 * cap), "-fps_mode:v", "vfr"),
        *(
            "-sc_threshold",
            "0",
            "-g",
            str(int(KEYFRAME_SECONDS * max(rate, Fraction(30)) * 2)),
            "-force_key_frames",
            f"expr:gte(t,n_forced*{KEYFRAME_SECONDS})",
        ),
    ]


def _sound(found: Probe) -> list[str]:
    """AAC in stereo (or mono), gaps filled with silence, starting at 0 with the picture."""
    assert found.audio is not None  # noqa: S101 - callers ask only where there is sound
    rate = found.audio.rate if found.audio.rate in AUDIO_RATES else AUDIO_RATES[-1]
    filters = f"aresample={rate}:async=1:first_pts=0"
    channels = str(min(found.audio.channels, 2))
    return ["-map", f"0:{found.audio.index}", "-c:a", "aac", "-b:a", str(AUDIO_BIT_RATE), "-ac", channels, "-af", filters]


def _mp4() -> list[str]:
    """The index in front, so that playing starts before the download ends. No metadata of the source: it may say where someone lives."""
    return ["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4"]


def poster(video: Video, at: float, settings: TranscoderSettings, *, lit: bool) -> list[str]:
    """One JPEG of the frame at `at` seconds; `lit`: of the first one after it that is not all dark, if there is one soon.

    All dark: an average luma of at most 32 of 255 (16 is black).
    """
    size = fit(video.display, POSTER_SHORT_SIDE)
    search = ["signalstats", "metadata=mode=select:key=lavfi.signalstats.YAVG:value=32:function=greater"] if lit else []
    chain = graph(video, [size], last=["format=yuv420p", *search, "scale=out_range=full", "format=yuvj420p"])
    opening = _opening(Clip(start=at, duration=POSTER_SEARCH_SECONDS), settings, 1)
    picture = ["-frames:v", "1", "-q:v", "3", "-map_metadata", "-1", "-f", "image2", "-update", "1", _file(POSTER)]
    return [*opening, "-filter_complex", chain, "-map", "[v0]", *picture]


def _file(name: str) -> str:
    return f"file:{name}"
