"""FFmpeg's argument lists, without the program. Pure.

Paths are relative to the job's scratch folder, in which the source lies as `source`: no user's file name is ever part of a command.
"""

from collections.abc import Sequence
from fractions import Fraction

from services.transcoder.filters import graph, sound_graph
from services.transcoder.intake import guards
from services.transcoder.ladder import Size, bit_rate_cap, fit
from services.transcoder.outputs import POSTER, SOUND, SOURCE, Rendition
from services.transcoder.probe import Probe, Video
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder import Clip

CRF = 22
AUDIO_BIT_RATE = 128_000
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
    sounding = sum(rendition.sound for rendition in pictures) + sound_file
    chains = [graph(found.video, [rendition.size for rendition in pictures])] if found.video and pictures else []
    chains += [sound_graph(found.audio, sounding)] if found.audio and sounding else []
    pads = (f"[a{number}]" for number in range(sounding))
    arguments = [*_opening(clip, settings, threads), "-progress", "pipe:1", "-stats_period", "0.25", "-filter_complex", ";".join(chains)]
    for number, rendition in enumerate(pictures):
        arguments += ["-map", f"[v{number}]", *_h264(rendition.size, found.video.rate if found.video else Fraction(0), threads)]
        arguments += [*(_aac(next(pads)) if rendition.sound else []), *_mp4(), _file(rendition.file)]
    if sound_file:
        arguments += [*_aac(next(pads)), *_mp4(), _file(SOUND)]
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


def _aac(pad: str) -> list[str]:
    return ["-map", pad, "-c:a", "aac", "-b:a", str(AUDIO_BIT_RATE)]


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
