"""The transcoder service's messages: a video in, playable outputs out."""

from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from shared.contracts.base import Blob, Command, Result, UploadId
from shared.contracts.registry import Contract
from shared.contracts.transcoder_options import (
    Caption,
    CustomOutput,
    Encryption,
    Loudness,
    Preview,
    Quality,
    Storyboard,
    Tags,
    Thumbnails,
    Watermark,
)
from shared.contracts.upkeep import MeasureQueues, Sweep

Preset = Literal["mp4-480p", "mp4-720p", "mp4-1080p", "webm-720p", "hls", "dash", "audio", "audio-mp3", "audio-opus"]
SOUNDS = {"audio", "audio-mp3", "audio-opus"}
"""Presets without pictures."""
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""As 22:30."""
SourceUrl = Annotated[str, StringConstraints(pattern=r"^(https|s3)://[^\s]+$", max_length=2_048)]


class Clip(Result):
    """A part of the source: from `start`, for `duration`, both in seconds."""

    start: Annotated[float, Field(ge=0)] = 0.0
    duration: Annotated[float, Field(gt=0)] | None = None


class Window(Result):
    """A part of every day: from `start` to `end` (which may be the next day's), as clocks in `timezone` show."""

    start: ClockTime
    end: ClockTime
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            msg = f"{name!r} is no time zone; write one as Europe/Berlin"
            raise ValueError(msg) from error
        return name


class Budget(Result):
    """What the encoding may cost: looked at before each segment, so that none is lost.

    Outside `window` the job waits, without a worker. Once `cpu_seconds` are spent it fails as `budget-spent`; redriven with more, it
    goes on where it was.
    """

    cpu_seconds: Annotated[float, Field(gt=0)] | None = None
    window: Window | None = None


class Output(Result):
    """One output file or package, checked after it was made. `duration` in seconds, `bit_rate` in bits a second."""

    name: str
    container: str
    width: int | None = None
    height: int | None = None
    duration: float
    frames: int | None = None
    bit_rate: int
    codecs: str
    bytes: int | None = None
    cpu_seconds: float | None = None
    """This output's share of the encoders' CPU time, by its pixels; what was found encoded already cost nothing."""
    speed: float | None = None
    """× real time: its duration by its share of the encoders' CPU time."""
    crf: int | None = None
    """The constant quality that its pictures were encoded with."""
    encoder: str | None = None
    """What encoded its pictures, by FFmpeg's name: libx264, h264_nvenc and so on."""
    vmaf: float | None = None
    """How like the source it looks, 0 to 100: VMAF against the source at this output's size, the mean of every fifth frame."""
    vmaf_min: float | None = None
    """Of the worst of these frames."""


class Trial(Result):
    """One quality that was tried on the samples: VMAF, their mean, and bits a second."""

    crf: int
    vmaf: float
    bit_rate: int


class Chosen(Result):
    """How the quality of one rendition was found: what was tried on `samples` pieces of the film, and what is expected of `crf`."""

    rendition: str
    codec: str
    target: float
    crf: int
    expected: float
    samples: int
    trials: list[Trial]


class TranscodeResult(Result):
    """What was read (`source` is the probe), what was made, and how fast (`speed` is × real time).

    `notes` are sentences about what was decided for the user: not upscaled, tone-mapped. `cpu_seconds` counts all threads.
    """

    source: dict[str, Any]
    outputs: list[Output]
    poster: str | None = None
    encode_seconds: float
    speed: float
    binary: str
    cpu_seconds: float | None = None
    notes: list[str] = []
    segments: int | None = None
    """Parts that the picture was encoded in."""
    segments_reused: int | None = None
    """Of these, how many were found encoded already, by an earlier attempt or another job of yours on the same source."""
    quality: list[Chosen] = []
    """Where a VMAF was asked for: how each rendition's quality was found."""


class Transcode(Command):
    """Transcode `source`, a finished upload or an https:// or s3:// URL, as `preset` says."""

    kind: ClassVar[str] = "transcoder.transcode.v1"
    route: ClassVar[str | None] = "transcodes"
    result: ClassVar[type[Result]] = TranscodeResult
    examples: ClassVar = (
        {"source": "upl_2f1c9a7be6d04c6f", "preset": "mp4-720p"},
        {"source": "https://media.example.com/talk.mov", "preset": "hls", "options": {"priority": "high"}},
    )

    source: UploadId | SourceUrl
    preset: Preset | None = None
    presets: Annotated[list[Preset], Field(min_length=1, max_length=8)] | None = None
    clip: Clip | None = None
    poster: bool = True
    outputs: Annotated[list[CustomOutput], Field(max_length=8)] = []
    audio_tracks: Literal["all"] | Annotated[list[Annotated[int, Field(ge=0, lt=64)]], Field(min_length=1, max_length=32)] | None = None
    loudness: Loudness | None = None
    captions: Annotated[list[Caption], Field(max_length=32)] = []
    thumbnails: Thumbnails | None = None
    storyboard: Storyboard | None = None
    preview: Preview | None = None
    encryption: Encryption | None = None
    vmaf: bool = False
    quality: Quality | None = None
    watermark: Watermark | None = None
    metadata: Literal["strip", "keep"] | Tags = "strip"
    play_early: bool = False
    """Whether the beginning of a long film can be played (HLS and DASH) while the rest is encoded."""

    @field_validator("play_early")
    @classmethod
    def _has_a_list_that_grows(cls, asked: bool, info: ValidationInfo) -> bool:
        if asked and not {"hls", "dash"} & {info.data.get("preset"), *(info.data.get("presets") or [])}:
            msg = "only the presets hls and dash can be played early"
        elif asked and info.data.get("encryption") is not None:
            msg = "what is encrypted cannot be played early: leave out play_early or encryption"
        else:
            return asked
        raise ValueError(msg)

    @field_validator("encryption")
    @classmethod
    def _somebody_can_play_it(cls, asked: Encryption | None, info: ValidationInfo) -> Encryption | None:
        """Raise ValueError, with what to ask for instead."""
        if asked is not None:
            asked.refuse({info.data.get("preset"), *(info.data.get("presets") or [])})
        return asked

    @field_validator("vmaf", "quality", "watermark")
    @classmethod
    def _is_for_pictures(cls, asked: object, info: ValidationInfo) -> object:
        presets = {info.data.get("preset"), *(info.data.get("presets") or [])} - {None}
        if asked and presets and presets <= SOUNDS and not info.data.get("outputs"):
            msg = "this is for pictures, and only sound was asked for"
            raise ValueError(msg)
        return asked

    budget: Budget | None = None

    @field_validator("outputs")
    @classmethod
    def _each_by_its_name(cls, outputs: list[CustomOutput]) -> list[CustomOutput]:
        names = [(output.name, output.format) for output in outputs if output.name]
        if len(names) != len(set(names)):
            msg = "two outputs have the same name"
            raise ValueError(msg)
        return outputs

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "Transcode":
        if self.preset is not None and self.presets is not None:
            msg = "give preset or presets, not both"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_files_for_it(self) -> "Transcode":
        """What goes into single files needs one: HLS and DASH carry no metadata, and have texts as tracks of their own."""
        films = bool(self.outputs) or any(preset.startswith(("mp4", "webm")) for preset in self.wanted())
        if self.metadata != "strip" and not films and not SOUNDS & {*self.wanted()}:
            msg = "metadata is for single files, and only hls or dash was asked for"
        elif any(caption.embed for caption in self.captions) and not films:
            msg = "captions with embed go into MP4 and WebM files, and none was asked for"
        else:
            return self
        raise ValueError(msg)

    def wanted(self) -> list[Preset]:
        """The presets asked for, without repeats; mp4-720p where neither one nor an output was named."""
        named = self.presets or ([self.preset] if self.preset else [])
        return list(dict.fromkeys(named)) if named or self.outputs else ["mp4-720p"]


class SegmentResult(Result):
    """What one segment took; `encoded` and `reused` name renditions. `plan` repeats where the plan lies, for the job that joins them."""

    plan: Blob
    frames: int = 0
    encoded: list[str] = []
    reused: list[str] = []
    notes: list[str] = []
    cpu_seconds: float = 0.0
    started_at: float = 0.0
    """Unix seconds, as is `ended_at`."""
    ended_at: float = 0.0


class EncodeSegment(Command):
    """Internal: encode part `part` of the film that `plan` (a blob of JSON) describes, in every rendition; null: all of its sound.

    With `besides` neither, but the pictures besides the film: thumbnails, storyboard, preview.
    """

    kind: ClassVar[str] = "transcoder.segment.v1"
    result: ClassVar[type[Result]] = SegmentResult

    source: Blob
    plan: Blob
    part: Annotated[int, Field(ge=0)] | None = None
    besides: bool = False
    budget: Budget | None = None


class SweepTranscoder(Sweep):
    """The transcoder service's sweep."""

    kind: ClassVar[str] = "transcoder.sweep.v1"


class MeasureTranscoder(MeasureQueues):
    """The transcoder service's look at its queues."""

    kind: ClassVar[str] = "transcoder.measure.v1"


CONTRACT = Contract("transcoder", "Video of any size", (Transcode, EncodeSegment, SweepTranscoder, MeasureTranscoder))
