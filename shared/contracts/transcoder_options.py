"""What may be asked of a transcode besides its outputs: pictures, texts, sound, encryption. Pure data, nested in `Transcode`."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from shared.contracts.base import Result, UploadId

Seconds = Annotated[float, Field(ge=0, le=86_400)]
TWO_LETTERS = 2
WORST_CRF = 51
HOLDS = {"mp4": ("h264", "h265", "av1"), "webm": ("vp9", "av1")}
BY_QUALITY = ("av1",)
"""SVT-AV1 lets keyframes be forced at constant quality alone, and parts could not be joined without."""
Hex128 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$")]
ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et eu fa "
    "ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr "
    "ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl "
    "ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur "
    "uz ve vi vo wa wo xh yi yo za zh zu"
)
"""Every language with a tag of two letters."""


def _known(tag: str) -> str:
    primary = tag.partition("-")[0].lower()
    if len(primary) == TWO_LETTERS and primary not in ISO_639_1.split():
        msg = f"{primary} is no language of ISO 639-1; und stands for one that nobody named"
        raise ValueError(msg)
    return tag


Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35), AfterValidator(_known)]
"""A BCP 47 language tag, such as en, de-AT, zh-Hant."""
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f,\"\\=;:]+$", min_length=1, max_length=64)]
"""What viewers read in a menu. No sign that separates fields in a playlist or in the packager's arguments."""


class CustomOutput(Result):
    """One file of your own: `<name>.<format>` among the artifacts, `video-<n>` unless named.

    `codec`: h264 (the default), h265 or av1 in mp4; vp9 (the default) or av1 in webm. `short_side` in pixels, the source's own unless said;
    nothing is upscaled. `crf` is the codec's constant quality, less is better; `max_bit_rate` what it may peak at, in bits a second.
    Instead of a quality, `bit_rate` is what the pictures take on average, in bits a second, or `size` what the whole file takes, in bytes;
    `two_pass` has each part looked through before it is encoded, so that its bits go where they are needed.
    """

    format: Literal["mp4", "webm"] = "mp4"
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] | None = None
    codec: Literal["h264", "h265", "vp9", "av1"] | None = None
    short_side: Annotated[int, Field(ge=64, le=2_160)] | None = None
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    max_bit_rate: Annotated[int, Field(ge=50_000, le=200_000_000)] | None = None
    bit_rate: Annotated[int, Field(ge=50_000, le=200_000_000)] | None = None
    size: Annotated[int, Field(ge=10_000, le=2**40)] | None = None
    two_pass: bool = False
    sound: bool = True

    @property
    def chosen(self) -> str:
        """The codec, where none was named that of the format."""
        return self.codec or ("vp9" if self.format == "webm" else "h264")

    @model_validator(mode="after")
    def _playable(self) -> "CustomOutput":
        if self.chosen not in HOLDS[self.format]:
            msg = f"{self.format} is made with {', '.join(HOLDS[self.format])}, not with {self.chosen}"
            raise ValueError(msg)
        if self.chosen in ("h264", "h265") and self.crf is not None and self.crf > WORST_CRF:
            msg = f"crf goes up to {WORST_CRF} for {self.chosen}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_aim(self) -> "CustomOutput":
        aims = [name for name in ("crf", "bit_rate", "size") if getattr(self, name) is not None]
        if len(aims) > 1:
            msg = f"give {' or '.join(aims)}, not both"
        elif self.two_pass and not {"bit_rate", "size"} & {*aims}:
            msg = "two_pass needs a bit_rate or a size to keep; crf needs one pass"
        elif self.chosen in BY_QUALITY and {"bit_rate", "size"} & {*aims}:
            msg = f"{self.chosen} is encoded by quality alone; give crf and max_bit_rate, or take {' or '.join(HOLDS[self.format][:-1])}"
        elif self.bit_rate and self.max_bit_rate and self.max_bit_rate < self.bit_rate:
            msg = "max_bit_rate is below bit_rate"
        else:
            return self
        raise ValueError(msg)


class Picture(Result):
    """A picture's width in pixels (its height follows; nothing is upscaled) and format."""

    width: Annotated[int, Field(ge=16, le=3_840)] = 320
    format: Literal["jpeg", "webp", "png"] = "jpeg"


class Thumbnails(Picture):
    """Single pictures: `count` of them, evenly spaced (5 unless said), or one at each of the times `at`, in seconds."""

    count: Annotated[int, Field(ge=1, le=50)] | None = None
    at: Annotated[list[Seconds], Field(min_length=1, max_length=50)] | None = None

    @field_validator("at")
    @classmethod
    def _one_way_to_say_it(cls, at: list[float] | None, info: ValidationInfo) -> list[float] | None:
        if at is not None and info.data.get("count") is not None:
            msg = "give count or at, not both"
            raise ValueError(msg)
        return at


class Storyboard(Result):
    """Small pictures on sheets, and the WebVTT that lets a player show them above its seek bar.

    `every` so many seconds one; without, as often as gives 100 of them, at most one a second. `width` is that of one picture.
    """

    every: Annotated[float, Field(ge=0.5, le=3_600)] | None = None
    width: Annotated[int, Field(ge=32, le=640)] = 160
    columns: Annotated[int, Field(ge=1, le=10)] = 10


class Preview(Result):
    """A few moving seconds without sound: from `start` (a tenth of the way in, unless said), for `duration`."""

    format: Literal["gif", "webp"] = "webp"
    start: Seconds | None = None
    duration: Annotated[float, Field(gt=0, le=15)] = 3.0
    width: Annotated[int, Field(ge=16, le=800)] = 320
    frame_rate: Annotated[float, Field(ge=1, le=25)] = 10.0


class Caption(Result):
    """Text for the viewer: from an upload (SRT or WebVTT), or from the source's text track `track`, counted from 0.

    `shown` texts are on unless the viewer turns them off. With `embed` it is also a text track inside of every MP4 and WebM file.
    """

    upload: UploadId | None = None
    track: Annotated[int, Field(ge=0, lt=64)] | None = None
    language: Language = "und"
    label: Label | None = None
    shown: bool = False
    embed: bool = False

    @model_validator(mode="after")
    def _from_one_place(self) -> "Caption":
        if (self.upload is None) == (self.track is None):
            msg = "give upload or track, one of them"
            raise ValueError(msg)
        return self


class Loudness(Result):
    """How loud every sound is made, by EBU R128 in two passes: `target` in LUFS, `true_peak` in dBTP at most, loudness `range` in LU."""

    target: Annotated[float, Field(ge=-31, le=-9)] = -16.0
    true_peak: Annotated[float, Field(ge=-9, le=0)] = -1.5
    range: Annotated[float, Field(ge=1, le=50)] = 11.0


Tag = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=500)]
"""One line of text."""


class Tags(Result):
    """What files say of themselves, instead of what the source said: at least one of these."""

    title: Tag | None = None
    artist: Tag | None = None
    album: Tag | None = None
    album_artist: Tag | None = None
    composer: Tag | None = None
    genre: Tag | None = None
    date: Tag | None = None
    comment: Tag | None = None
    description: Tag | None = None
    copyright: Tag | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Tags":
        if not self.model_dump(exclude_none=True):
            msg = f"give one of {', '.join(type(self).model_fields)}; strip leaves all of them out"
            raise ValueError(msg)
        return self


Place = Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]


class Watermark(Result):
    """An uploaded picture (PNG, JPEG, WebP; its transparency is kept) on every frame of every size, in the same place.

    `width` is its share of the picture's width, `margin` its distance from the edges as a share of the picture's shorter side, `opacity`
    how much of it is seen.
    """

    upload: UploadId
    position: Place = "bottom-right"
    margin: Annotated[float, Field(ge=0, le=0.4)] = 0.03
    width: Annotated[float, Field(ge=0.01, le=1)] = 0.15
    opacity: Annotated[float, Field(ge=0.05, le=1)] = 1.0


class Quality(Result):
    """How good the pictures are to be: `vmaf`, as the mean of all frames (93 is hard to tell from the source).

    A few seconds are encoded at three qualities (`crf`), measured, and the worst that is good enough is taken for the whole film, between
    `min_crf` and `max_crf`. An output's own `crf` goes before it, and so do caps on its bit rate.
    """

    vmaf: Annotated[float, Field(ge=50, le=99)]
    min_crf: Annotated[int, Field(ge=0, le=63)] = 14
    max_crf: Annotated[int, Field(ge=0, le=63)] = 40

    @model_validator(mode="after")
    def _leaves_a_choice(self) -> "Quality":
        if self.min_crf > self.max_crf:
            msg = "min_crf is above max_crf"
            raise ValueError(msg)
        return self


class Encryption(Result):
    """How HLS and DASH are encrypted: `aes-128` (HLS alone), `cbcs` (both) or `cenc` (DASH alone).

    `key` and `key_id` are 32 hexadecimal digits; what is left out is drawn at random. The key is an artifact of the job, for those who may
    read the job. `key_url` is where players are told to fetch it instead, from a server of yours.
    """

    scheme: Literal["aes-128", "cbcs", "cenc"]
    key: Hex128 | None = None
    key_id: Hex128 | None = None
    key_url: Annotated[str, StringConstraints(pattern=r"^https://[^\s\",]+$", max_length=2_048)] | None = None

    def refuse(self, presets: Collection[str | None]) -> None:
        """Raise ValueError where there is nothing to encrypt, or a preset that no player could decrypt by this scheme."""
        if not {"hls", "dash"} & {*presets}:
            msg = "only the presets hls and dash are encrypted"
        elif self.scheme == "aes-128" and "dash" in presets:
            msg = "aes-128 is for HLS alone; cbcs encrypts the preset dash, too"
        elif self.scheme == "cenc" and "hls" in presets:
            msg = "cenc is for DASH alone; cbcs encrypts the preset hls, too"
        else:
            return
        raise ValueError(msg)
