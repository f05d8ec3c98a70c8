"""The avatar service's messages: a prompt, a seed or a photo in, pictures out."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Command, Result, UploadId
from shared.contracts.registry import Contract
from shared.contracts.upkeep import MeasureQueues, Sweep

Format = Literal["png", "webp", "avif", "jpeg", "svg"]
Colour = Annotated[str, StringConstraints(pattern=r"^(#[0-9a-fA-F]{6}|transparent)$")]


class Variant(Result):
    """One picture: the artifact's name and everything needed to draw it again (`options` are the resolved ones).

    `undrawn` are the words of a prompt that were understood but that this style has no means to show.
    """

    artifact: str
    style: str
    seed: str | None = None
    options: dict[str, Any] = {}
    licence: str | None = None
    attribution: str | None = None
    undrawn: list[str] = []


class FailedVariant(Result):
    """A picture that could not be drawn; the others of the job were."""

    number: int
    style: str
    reason: str


class FaceBox(Result):
    """Where the face was found in the upright photo, in pixels; `score` is the detector's confidence, 0 to 1."""

    left: int
    top: int
    width: int
    height: int
    score: float


class AvatarResult(Result):
    """The pictures; for a prompt also what of it was understood; for a photo the face (None: none was found)."""

    engine: Literal["illustrated", "prompt", "portrait"]
    variants: list[Variant]
    failed: list[FailedVariant] = []
    understood: list[str] = []
    ignored: list[str] = []
    face: FaceBox | None = None
    timings_ms: dict[str, float] = {}


class GenerateAvatar(Command):
    """Draw avatars from exactly one of `prompt`, `seed` and `photo`."""

    kind: ClassVar[str] = "avatar.generate.v1"
    route: ClassVar[str | None] = "avatars"
    result: ClassVar[type[Result]] = AvatarResult
    examples: ClassVar = (
        {"prompt": "a grumpy robot with an antenna", "variants": 4, "size": 512},
        {"seed": "ada@example.com", "style": "avataaars", "format": "svg"},
        {"photo": "upl_2f1c9a7be6d04c6f", "style": "poster"},
    )

    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = None
    seed: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    photo: UploadId | None = None
    style: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")] | None = None
    variants: Annotated[int, Field(ge=1, le=16)] = 1
    size: Annotated[int, Field(ge=16, le=2048, description="edge of the square, in pixels")] = 512
    format: Format = "png"
    background: Colour | None = None
    random_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None

    @model_validator(mode="after")
    def _exactly_one_source(self) -> "GenerateAvatar":
        if sum(source is not None for source in (self.prompt, self.seed, self.photo)) != 1:
            msg = "give exactly one of prompt, seed and photo"
            raise ValueError(msg)
        return self


class SweepAvatar(Sweep):
    """The avatar service's sweep."""

    kind: ClassVar[str] = "avatar.sweep.v1"


class MeasureAvatar(MeasureQueues):
    """The avatar service's look at its queues."""

    kind: ClassVar[str] = "avatar.measure.v1"


CONTRACT = Contract("avatar", "Avatars from a prompt, a seed or a photo", (GenerateAvatar, SweepAvatar, MeasureAvatar))
