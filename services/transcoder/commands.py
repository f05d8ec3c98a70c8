"""FFmpeg's argument lists, without the program. Pure.

Paths are relative to the job's scratch folder, in which the source lies as `source`: no user's file name is ever part of a command.
"""

from collections.abc import Iterator, Mapping, Sequence

from services.transcoder import hardware
from services.transcoder.captions import Text
from services.transcoder.codecs import writing as pictures_writing
from services.transcoder.film import Film
from services.transcoder.filters import PLAIN, graph
from services.transcoder.intake import guards
from services.transcoder.ladder import fit
from services.transcoder.languages import three_letters
from services.transcoder.outputs import POSTER, SOURCE, Rendition
from services.transcoder.parts import GRID_SECONDS, Part
from services.transcoder.probe import Video
from services.transcoder.settings import TranscoderSettings
from services.transcoder.tags import options
from services.transcoder.voices import WRITING, Measured, Voice, measuring
from services.transcoder.voices import graph as voices_graph
from services.transcoder.voices import writing as voices_writing
from shared.contracts.transcoder import Clip

POSTER_SHORT_SIDE = 1080
POSTER_SEARCH_SECONDS = 10
QUIET = ("-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning")
TELLING = ("-progress", "pipe:1", "-stats_period", "0.25")


def _opening(clip: Clip, settings: TranscoderSettings, threads: int) -> list[str]:
    """Options up to and including the input. Seeking before the input decodes from the keyframe before, so a cut is exact."""
    seek = ["-ss", f"{clip.start:.6f}"] if clip.start else []
    length = ["-t", f"{clip.duration:.6f}"] if clip.duration else []
    return [*_guarded(settings, threads, settings.max_error_rate), *seek, *length, "-i", _file(SOURCE)]


def _guarded(settings: TranscoderSettings, threads: int, error_rate: float) -> list[str]:
    return [
        *(*QUIET, "-max_error_rate", f"{error_rate:g}", "-filter_complex_threads", str(threads)),
        *(*guards(settings.max_pixels), "-threads", str(threads)),
    ]


def encode(
    film: Film, part: Part | None, pictures: Sequence[Rendition], settings: TranscoderSettings, *, threads: int, first: bool = False
) -> list[str]:
    """One FFmpeg for all `pictures` of a part, from one decode; None: of the whole film, whose frames nobody could count.

    `first`: the first of two passes, which leaves statistics and no pictures.
    """
    sizes = [rendition.size for rendition in pictures]
    kinds = {rendition.encoder for rendition in pictures if rendition.encoder}
    devices = [option for kind in sorted(kinds) for option in hardware.opening(kind)]
    ends = [hardware.ending(rendition.encoder) if rendition.encoder else PLAIN for rendition in pictures]
    if part is None:
        opening = [*devices, *_opening(film.clip, settings, threads), *TELLING, *(film.mark.inputs() if film.mark else [])]
        opening += ["-filter_complex", graph(film.video, sizes, ends=ends, tone_at=film.top, mark=film.mark)]
        timing = ["-fps_mode:v", "vfr", "-force_key_frames", f"expr:gte(t,n_forced*{GRID_SECONDS})"]
    else:
        chains = graph(film.video, sizes, ends=ends, cut=film.cut(part), tone_at=film.top, mark=film.mark)
        opening = [*devices, *reading(film, part, settings, threads), "-filter_complex", chains]
        timing = ["-frames:v", str(part.count), "-fps_mode:v", "passthrough", "-enc_time_base", str(film.clock)]
        timing += ["-force_key_frames", ",".join(f"{at:g}" for at in part.keys)]
    for number, rendition in enumerate(pictures):
        at = part.number if part else 0
        writing = pictures_writing(rendition, film.video.rate, threads, statistics=rendition.statistics(at), first=first)
        target = ["-f", "null", "-"] if first else [*_mp4(), _file(rendition.part(at))]
        opening += ["-map", f"[v{number}]", *writing, *timing, *target]
    return opening


def reading(film: Film, part: Part, settings: TranscoderSettings, threads: int) -> list[str]:
    """Options up to and including the source (and the watermark), read from where a part begins, in the source's own timestamps."""
    seek = ["-noaccurate_seek", "-ss", f"{part.seek:.6f}"] if part.seek is not None else []
    guarded = _guarded(settings, threads, film.error_rate(part, settings.max_error_rate))
    return [*guarded, "-copyts", *seek, "-i", _file(SOURCE), *TELLING, *(film.mark.inputs() if film.mark else [])]


def sounds(
    voices: Sequence[Voice],
    clip: Clip,
    settings: TranscoderSettings,
    *,
    threads: int,
    measured: Mapping[int, Measured | None] | None = None,
) -> list[str]:
    """All these sounds from one reading of the source; `measured` is what the first pass found, by track."""
    return [*_opening(clip, settings, threads), *TELLING, "-filter_complex", voices_graph(voices, measured), *voices_writing(voices)]


def measure(voice: Voice, clip: Clip, settings: TranscoderSettings, *, threads: int) -> list[str]:
    """The first pass over a track, for its loudness. It is told on stderr, in FFmpeg's information lines."""
    told = [*_opening(clip, settings, threads), *TELLING, *measuring(voice)]
    return [("level+info" if argument == "level+warning" else argument) for argument in told]


def join(film: Film, rendition: Rendition, voices: Sequence[Voice], texts: Sequence[Text], said: Mapping[str, str]) -> list[str]:
    """One rendition from its parts, and the sound where it carries it: nothing is encoded. The picture is as late as it was.

    `texts` become tracks of text, `said` is what the file says of itself.

    The index goes in front, so that playing starts before the download ends.
    """
    offset = ["-itsoffset", f"{film.offset:.6f}"] if film.parts and film.offset else []
    picture = [*offset, "-f", "concat", "-i", _file(rendition.list)] if film.parts else ["-i", _file(rendition.part(0))]
    beside = voices if rendition.sound else ()
    files = [*(voice.file for voice in beside), *(text.track.file for text in texts)]
    inputs = [option for file in files for option in ("-i", _file(file))]
    maps = ["-map", "0:v", *(option for number in range(len(beside)) for option in ("-map", f"{number + 1}:a"))]
    maps += [option for number in range(len(texts)) for option in ("-map", f"{number + 1 + len(beside)}:s")]
    named = [*_named(beside), *_lettered(texts, rendition.container), *options(said)]
    strictly = ["-xerror"] if film.parts else []  # else a part that cannot be opened is left out, and all is said to be well
    return [*QUIET, *strictly, *picture, *inputs, *maps, "-c", "copy", *_container(rendition), *named, _file(rendition.file)]


def name(voice: Voice, target: str, said: Mapping[str, str]) -> list[str]:
    """A copy of a sound that says something of itself: encoded again it would not be the one on the shelf."""
    as_it_is = WRITING[voice.codec][-6:]  # no word of the source's; the container
    return [*QUIET, "-i", _file(voice.file), "-map", "0:a", "-c", "copy", *as_it_is, *options(said), _file(target)]


def _container(rendition: Rendition) -> list[str]:
    if rendition.container == "webm":
        return ["-cues_to_front", "1", "-map_metadata", "-1", "-map_chapters", "-1", "-f", "webm"]
    return ["-movflags", "+faststart", *_mp4()]


def _lettered(texts: Sequence[Text], container: str) -> Iterator[str]:
    """WebM keeps WebVTT, MP4 has a format of its own (3GPP Timed Text), which keeps bold and italics and no places."""
    yield from ("-c:s", "mov_text") if texts and container == "mp4" else ()
    for number, text in enumerate(texts):
        yield from (f"-metadata:s:s:{number}", f"language={three_letters(text.track.language)}")
        yield from (f"-metadata:s:s:{number}", f"title={text.track.label}", f"-disposition:s:{number}", "default" if text.shown else "0")


def _named(voices: Sequence[Voice]) -> Iterator[str]:
    """Several sounds are told apart by language and title; the first is played unless the viewer chooses another."""
    for number, voice in enumerate(voices if len(voices) > 1 else ()):
        yield from (f"-metadata:s:a:{number}", f"language={voice.audio.language}", f"-metadata:s:a:{number}", f"title={voice.label}")
        yield from (f"-disposition:a:{number}", "0" if number else "default")


def concat_list(rendition: Rendition, seconds: Sequence[float]) -> str:
    """The concat demuxer's list. Without `duration` lines a varying frame rate drifts (567 ms in an hour's worth of cuts)."""
    lines = (f"file {rendition.part(number)}\nduration {length:.6f}\n" for number, length in enumerate(seconds))
    return "ffconcat version 1.0\n" + "".join(lines)


def look_through(file: str, threads: int, *, every_frame: bool) -> list[str]:
    """Decode a finished file, and nothing else: its keyframes, of which each part begins with one, or every frame. Any damage ends it.

    Without the filter that smooths blocks, where frames are not made of one another: it looks at pixels, never at the file, and costs a
    fifth of the time.
    """
    strictly = ["-xerror", "-err_detect", "explode", "-threads", str(threads)]
    strictly += [] if every_frame else ["-discard:v", "nokey", "-skip_frame", "nokey", "-skip_loop_filter", "all"]
    return [*QUIET, *strictly, "-i", _file(file), "-an", "-sn", "-f", "null", "-"]


def _mp4() -> list[str]:
    """No metadata of the source: it may say where someone lives."""
    return ["-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"]


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
