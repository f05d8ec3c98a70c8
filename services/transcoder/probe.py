"""What a file is: ffprobe's JSON as typed values, and the limits that a source must keep."""

import json
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from services.transcoder import tags
from services.transcoder.binary import Tools
from services.transcoder.failures import explain, quoted
from services.transcoder.intake import guards, local
from services.transcoder.process import Limits
from services.transcoder.run import Watch, run
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder_options import ISO_639_1
from shared.errors import PermanentError
from shared.job import Checkpoint

CPU_SECONDS = 20
MEMORY_MB = 4_096
JSON_LIMIT = 4 * 2**20
"""Bytes of ffprobe's answer that are kept; a source with more to say about itself is refused."""
INTERLACED = frozenset({"tt", "bb", "tb", "bt"})
HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
QUARTER_TURN = 90


@dataclass(frozen=True, slots=True)
class Video:
    """The picture stream. `width` × `height` are the stored pixels, `sar` their shape, `rotation` degrees to turn for display."""

    index: int
    codec: str
    width: int
    height: int
    sar: Fraction
    rotation: int
    rate: Fraction
    """Frames a second, on average; 0 where unknown."""
    frames: int | None
    """As the container counts them; None where it does not."""
    duration: float | None
    start: float
    pixel_format: str
    transfer: str
    primaries: str
    interlaced: bool
    codec_string: str
    tick: Fraction = Fraction(1, 90_000)
    """Seconds of one unit of the stream's own timestamps."""

    @property
    def display(self) -> tuple[int, int]:
        """Width and height as seen: square pixels, turned upright."""
        width, height = round(self.width * self.sar), self.height
        return (height, width) if self.rotation % (2 * QUARTER_TURN) else (width, height)

    @property
    def hdr(self) -> str | None:
        """Which kind of high dynamic range the tags claim: PQ, HLG or none."""
        return HDR_TRANSFERS.get(self.transfer)


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound stream; `rate` in Hz, times in seconds."""

    index: int
    codec: str
    channels: int
    rate: int
    duration: float | None
    start: float
    codec_string: str
    language: str = "und"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Writing:
    """A text stream. `language` is a BCP 47 tag, `title` has no sign that separates fields in a playlist."""

    index: int
    codec: str
    language: str = "und"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A media file: its container, its first picture, all sounds and texts. `duration` in seconds, `bit_rate` in bits a second."""

    container: str
    duration: float | None
    bytes: int
    bit_rate: int
    streams: int
    video: Video | None
    audio: Audio | None
    start: float = 0.0
    """The earliest timestamp of any stream, in seconds: where the file begins."""
    sounds: tuple[Audio, ...] = ()
    """All sound streams; `audio` is the first."""
    writings: tuple[Writing, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    """What the file says of itself, by FFmpeg's names: title, artist, location and so on."""

    def summary(self) -> dict[str, Any]:
        """As JSON for the job's result; names no path."""
        video, audio = self.video, self.audio
        return {
            "container": self.container,
            "duration": self.duration,
            "bytes": self.bytes,
            "bit_rate": self.bit_rate,
            "streams": self.streams,
            "video": video
            and {
                "codec": video.codec,
                "width": video.display[0],
                "height": video.display[1],
                "frame_rate": round(float(video.rate), 3),
                "frames": video.frames,
                "rotation": video.rotation,
                "pixel_format": video.pixel_format,
                "hdr": video.hdr,
                "interlaced": video.interlaced,
            },
            "audio": audio and {"codec": audio.codec, "channels": audio.channels, "sample_rate": audio.rate},
            "sounds": [{"codec": one.codec, "language": one.language, "title": one.title} for one in self.sounds],
            "texts": [{"codec": one.codec, "language": one.language, "title": one.title} for one in self.writings],
        }


def probe(path: Path, tools: Tools, settings: TranscoderSettings, *, cwd: Path, checkpoint: Checkpoint) -> Probe:
    """Ask ffprobe about a local file. Raises PermanentError for what is not media, in time and memory that are bounded."""
    arguments = [str(tools.ffprobe.path), "-v", "level+error", *guards(settings.max_pixels)]
    arguments += ["-of", "json", "-show_format", "-show_streams", local(path)]
    limits = Limits(CPU_SECONDS, MEMORY_MB, file_bytes=0, nice=settings.nice)
    watch = Watch(checkpoint, stall_seconds=settings.probe_seconds, wall_seconds=settings.probe_seconds)
    try:
        ended = run(arguments, cwd=cwd, limits=limits, watch=watch, keep_stdout=JSON_LIMIT)
    except TimeoutError as late:
        raise PermanentError("the source could not be understood in time", type="invalid-media", pointer="/source") from late
    if ended.status != 0:
        raise explain("ffprobe", ended, limits)
    try:
        return parse(json.loads(ended.stdout))
    except (ValueError, KeyError, TypeError) as odd:
        raise PermanentError(
            f"the source describes itself in a way that makes no sense{quoted(ended.words)}", type="invalid-media", pointer="/source"
        ) from odd


def parse(answer: dict[str, Any]) -> Probe:
    """Ffprobe's `-show_format -show_streams` as a Probe. Cover pictures are not video. Raises KeyError and ValueError."""
    described, streams = answer["format"], answer.get("streams", [])
    moving = [s for s in streams if s.get("codec_type") == "video" and not s.get("disposition", {}).get("attached_pic")]
    sounding = [s for s in streams if s.get("codec_type") == "audio" and int(s.get("channels", 0)) > 0]
    return Probe(
        container=described["format_name"],
        duration=_seconds(described.get("duration")),
        bytes=int(described.get("size", 0)),
        bit_rate=int(described.get("bit_rate", 0)),
        streams=len(streams),
        video=_video(moving[0]) if moving else None,
        audio=_audio(sounding[0]) if sounding else None,
        sounds=tuple(map(_audio, sounding)),
        writings=tuple(_writing(stream) for stream in streams if stream.get("codec_type") == "subtitle"),
        start=_seconds(described.get("start_time")) or 0.0,
        tags=tags.known(described.get("tags", {}), streams),
    )


def _video(stream: dict[str, Any]) -> Video:
    return Video(
        index=int(stream["index"]),
        codec=stream.get("codec_name", "unknown"),
        width=int(stream.get("width", 0)),
        height=int(stream.get("height", 0)),
        sar=_ratio(stream.get("sample_aspect_ratio", "").replace(":", "/")) or Fraction(1),
        rotation=next((round(float(side["rotation"])) for side in stream.get("side_data_list", []) if "rotation" in side), 0),
        rate=_frame_rate(stream),
        frames=int(stream["nb_frames"]) if stream.get("nb_frames", "N/A").isdigit() else None,
        duration=_seconds(stream.get("duration")),
        start=_seconds(stream.get("start_time")) or 0.0,
        pixel_format=stream.get("pix_fmt", "unknown"),
        transfer=stream.get("color_transfer", "unknown"),
        primaries=stream.get("color_primaries", "unknown"),
        interlaced=stream.get("field_order") in INTERLACED,
        codec_string=stream.get("mime_codec_string", stream.get("codec_name", "unknown")),
        tick=_ratio(stream.get("time_base")) or Fraction(1, 90_000),
    )


def _frame_rate(stream: dict[str, Any]) -> Fraction:
    """The average, or else FFprobe's guess; 0 where that is the stream's own clock, which is what it says of a rate that varies."""
    guess = _ratio(stream.get("r_frame_rate"))
    return _ratio(stream.get("avg_frame_rate")) or (guess if guess * _ratio(stream.get("time_base")) != 1 else Fraction(0))


def _audio(stream: dict[str, Any]) -> Audio:
    return Audio(
        index=int(stream["index"]),
        codec=stream.get("codec_name", "unknown"),
        channels=int(stream["channels"]),
        rate=int(stream.get("sample_rate", 0)),
        duration=_seconds(stream.get("duration")),
        start=_seconds(stream.get("start_time")) or 0.0,
        codec_string=stream.get("mime_codec_string", stream.get("codec_name", "unknown")),
        language=_language(stream),
        title=_title(stream),
    )


def _writing(stream: dict[str, Any]) -> Writing:
    return Writing(int(stream["index"]), stream.get("codec_name", "unknown"), _language(stream), _title(stream))


def _language(stream: dict[str, Any]) -> str:
    """The tag, where it is one: containers hold whatever somebody once typed."""
    tag = str(stream.get("tags", {}).get("language", "")).lower()
    return tag if re.fullmatch("[a-z]{3}", tag) or tag in ISO_639_1.split() else "und"


def _title(stream: dict[str, Any]) -> str:
    plain = re.sub(r"[\x00-\x1f\x7f,\"\\=;:]", " ", str(stream.get("tags", {}).get("title", "")))
    return " ".join(plain.split())[:64]


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text != "N/A" else None


def _ratio(text: str | None) -> Fraction:
    """A number like 30000/1001 as a Fraction; 0 for 0/0, N/A and nothing."""
    above, _, below = (text or "").partition("/")
    return Fraction(int(above), int(below)) if above.isdigit() and below.isdigit() and int(below) else Fraction(0)
