"""Pictures of a film: thumbnails, a storyboard for the seek bar, a moving preview. What to make, and FFmpeg's argument lists; pure.

Each is a pass of its own over the source and reads as little of it as it can: a thumbnail is sought, a storyboard decodes keyframes
alone (1.1 instead of 11.7 CPU seconds for 90 s of 1080p), a preview reads its few seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.transcoder.filters import graph
from services.transcoder.intake import guards
from services.transcoder.ladder import Size, fit_width
from services.transcoder.outputs import SOURCE
from services.transcoder.probe import Video
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder_options import Picture, Preview, Storyboard, Thumbnails
from shared.errors import PermanentError

STORYBOARD_TILES = 100
"""How many tiles a storyboard has at most where nobody says how often, none more often than each second."""
THUMBNAILS = 5
ROWS = 10
PREVIEW_AT = 0.1
SUFFIXES = {"jpeg": "jpg", "webp": "webp", "png": "png", "gif": "gif"}
PICTURE = {
    "jpeg": ("-c:v", "mjpeg", "-q:v", "3"),
    "webp": ("-c:v", "libwebp", "-quality", "80"),
    "png": ("-c:v", "png", "-pix_fmt", "rgb24"),
}
FULL_RANGE = ("scale=out_range=full", "format=yuvj420p")


@dataclass(frozen=True, slots=True)
class Pass:
    """One FFmpeg: its arguments without the program, and what it leaves, artifact name → file."""

    arguments: tuple[str, ...]
    makes: dict[str, str]
    cpu_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Span:
    """What of the source is shown: from `start`, for `duration`; seconds."""

    start: float
    duration: float


@dataclass(frozen=True, slots=True)
class Board:
    """A storyboard's measures: `every` so many seconds a tile of `tile` pixels, `columns` × ROWS of them on a sheet."""

    every: float
    count: int
    tile: Size
    columns: int

    @property
    def sheets(self) -> int:
        """How many pictures it takes."""
        return math.ceil(self.count / (self.columns * ROWS))

    def vtt(self, duration: float) -> str:
        """The WebVTT that players read: a cue for each tile, with its place on its sheet."""
        cues = []
        for number in range(self.count):
            sheet, place = divmod(number, self.columns * ROWS)
            row, column = divmod(place, self.columns)
            begin, end = number * self.every, min((number + 1) * self.every, duration)
            where = f"{column * self.tile.width},{row * self.tile.height},{self.tile.width},{self.tile.height}"
            cues.append(f"{clock(begin)} --> {clock(end)}\nsheet-{sheet + 1:03}.jpg#xywh={where}\n")
        return "\n".join(["WEBVTT\n", *cues])


def clock(seconds: float) -> str:
    """WebVTT's way to write a time."""
    milliseconds = round(seconds * 1_000)
    return f"{milliseconds // 3_600_000:02}:{milliseconds // 60_000 % 60:02}:{milliseconds // 1_000 % 60:02}.{milliseconds % 1_000:03}"


def thumbnails(asked: Thumbnails, video: Video, span: Span, settings: TranscoderSettings) -> list[Pass]:
    """One pass a picture. Raises PermanentError for a time after the end."""
    return [
        Pass(
            tuple(_thumbnail(asked, video, span.start + at, number, settings)), {f"thumbnails/{_name(number, asked)}": _name(number, asked)}
        )
        for number, at in enumerate(_times(asked, span), start=1)
    ]


def _times(asked: Thumbnails, span: Span) -> list[float]:
    if asked.at is not None:
        for number, at in enumerate(asked.at):
            if at >= span.duration:
                raise PermanentError(
                    f"there is no picture at {at:g} s: the film lasts {span.duration:.3f} s",
                    type="invalid-request",
                    pointer=f"/thumbnails/at/{number}",
                )
        return list(asked.at)
    count = asked.count or THUMBNAILS
    return [span.duration * (number + 0.5) / count for number in range(count)]


def _name(number: int, asked: Picture) -> str:
    return f"thumbnail-{number:03}.{SUFFIXES[asked.format]}"


def _thumbnail(asked: Thumbnails, video: Video, at: float, number: int, settings: TranscoderSettings) -> list[str]:
    chain = graph(video, [fit_width(video.display, asked.width)], last=["format=yuv420p", *_range(asked.format)])
    writing = ["-frames:v", "1", *PICTURE[asked.format], "-map_metadata", "-1", "-f", "image2", "-update", "1"]
    return [*_opening(at, None, settings), "-filter_complex", chain, "-map", "[v0]", *writing, f"file:{_name(number, asked)}"]


def _range(format: str) -> Sequence[str]:  # noqa: A002 - the contract's word
    return FULL_RANGE if format == "jpeg" else ()


def board(asked: Storyboard, video: Video, span: Span) -> Board:
    """How large a storyboard will be."""
    every = asked.every or max(math.ceil(span.duration / STORYBOARD_TILES), 1.0)
    count = max(math.ceil(span.duration / every), 1)
    return Board(every, count, fit_width(video.display, asked.width), min(asked.columns, count))


def storyboard(plan: Board, video: Video, span: Span, settings: TranscoderSettings, *, keyframes: bool) -> Pass:
    """All sheets in one pass, over keyframes alone where `keyframes` says that they are near enough to each other.

    Exactly `count` tiles, whatever the source holds: the last picture stands for what is missing at the end.
    """
    skip = ["-skip_frame", "nokey", "-noaccurate_seek"] if keyframes else []
    rows = min(ROWS, math.ceil(plan.count / plan.columns))
    exact = ["tpad=stop=-1:stop_mode=clone", f"fps=1/{plan.every:g}:start_time=0", f"trim=end_frame={plan.count}"]
    tiles = [*exact, f"tile={plan.columns}x{rows}"]
    chain = graph(video, [plan.tile], last=["format=yuv420p", *tiles, *FULL_RANGE])
    opening = _opening(span.start, span.duration, settings, *skip)
    writing = ["-fps_mode", "passthrough", *PICTURE["jpeg"], "-map_metadata", "-1", "-f", "image2", "file:sheet-%03d.jpg"]
    names = [f"sheet-{number:03}.jpg" for number in range(1, plan.sheets + 1)]
    makes = {f"storyboard/{name}": name for name in names}
    return Pass((*opening, "-filter_complex", chain, "-map", "[v0]", *writing), makes, int(300 + span.duration * (1 if keyframes else 4)))


def preview(asked: Preview, video: Video, span: Span, settings: TranscoderSettings) -> Pass:
    """A few moving seconds. Raises PermanentError for a start after the end."""
    start = span.duration * PREVIEW_AT if asked.start is None else asked.start
    if start >= span.duration:
        raise PermanentError(
            f"there is no picture at {start:g} s: the film lasts {span.duration:.3f} s", type="invalid-request", pointer="/preview/start"
        )
    name = f"preview.{SUFFIXES[asked.format]}"
    size = fit_width(video.display, asked.width)
    length = min(asked.duration, span.duration - start)
    rate = f"fps={asked.frame_rate:g}"
    if asked.format == "gif":  # a palette of the film's own 256 colours: FFmpeg's standard one is a sorry sight
        chain = graph(video, [size], last=[rate, "split[p0][p1]"]).removesuffix("[v0]")
        chain += ";[p0]palettegen=stats_mode=diff[palette];[p1][palette]paletteuse=dither=bayer:bayer_scale=3[v0]"
        codec = ["-c:v", "gif", "-loop", "0", "-f", "gif"]
    else:
        chain = graph(video, [size], last=[rate, "format=yuv420p"])
        codec = ["-c:v", "libwebp_anim", "-quality", "70", "-loop", "0", "-f", "webp"]
    opening = _opening(span.start + start, length, settings)
    return Pass((*opening, "-filter_complex", chain, "-map", "[v0]", *codec, "-map_metadata", "-1", f"file:{name}"), {name: name})


def _opening(at: float, length: float | None, settings: TranscoderSettings, *before: str) -> list[str]:
    """Options up to and including the input: one thread, for there is little to share out."""
    seek = [*(["-ss", f"{at:.6f}"] if at else []), *(["-t", f"{length:.6f}"] if length else [])]
    quiet = ["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning", "-max_error_rate", f"{settings.max_error_rate:g}"]
    return [*quiet, "-filter_complex_threads", "1", *guards(settings.max_pixels), "-threads", "1", *before, *seek, "-i", f"file:{SOURCE}"]
