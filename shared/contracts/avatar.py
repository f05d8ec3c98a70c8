"""The avatar service's messages: a prompt, a seed or a photo in, pictures out.

A variant's `style`, `seed` and `options` are a recipe: sent back as `style`, `seed` and `style_options` they draw the same picture, or,
with an option changed, one that differs in nothing else.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Command, Result, UploadId
from shared.contracts.registry import Contract
from shared.contracts.upkeep import MeasureQueues, Sweep

Format = Literal["png", "webp", "avif", "jpeg", "svg"]
Colour = Annotated[str, StringConstraints(pattern=r"^(#[0-9a-fA-F]{6}|transparent)$")]
Size = Annotated[int, Field(ge=16, le=2048, description="edge of the square, in pixels")]
OptionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
OptionScalar = Annotated[str, StringConstraints(max_length=64)] | bool | int | float
OptionValue = OptionScalar | Annotated[list[OptionScalar], Field(max_length=64)] | None
DIFFUSION = ("steps", "guidance", "negative_prompt", "strength")
"""The fields that only a diffusion model reads."""
MOST_OUTPUTS = 64
"""Files of one job: variants × sizes × formats."""


class Output(Result):
    """One file of a picture. `size` is its edge in pixels, None for a vector graphic."""

    artifact: str
    format: Format
    size: int | None = None


class Variant(Result):
    """One picture: its files and everything needed to draw it again (`options` are the resolved ones).

    `artifact` is the first of `outputs`. `undrawn` are the words of a prompt that were understood but that this style has no means
    to show.
    """

    artifact: str
    outputs: list[Output] = []
    style: str
    seed: str | None = None
    options: dict[str, Any] = {}
    licence: str | None = None
    licence_url: str | None = None
    attribution: str | None = None
    undrawn: list[str] = []


class FailedVariant(Result):
    """A picture that could not be drawn, or one of its files (`artifact`) that could not be written; the others of the job were."""

    number: int
    style: str
    reason: str
    artifact: str | None = None


class FaceBox(Result):
    """Where the face was found in the upright photo, in pixels; `score` is the detector's confidence, 0 to 1."""

    left: int
    top: int
    width: int
    height: int
    score: float


class AvatarResult(Result):
    """The pictures; for a prompt also what of it was understood; for a photo the face (None: none was found).

    `cached`: the same was drawn before and lay ready. `suggested` is what a look-alike took from the photo: `skin`, `hair`,
    `hair_length`, `mouth`. Of a prompt's words, `ignored` means nothing here, and `unsupported` was understood but shows in none of the
    pictures. `timings_ms`: `queue` is from when the job was ready (accepted, its `run_at`, a retry's time) to its claim, `load` what it
    waited for models (none in a warm process), `wait` for another job that drew the same; then each stage.

    `degraded`: a diffusion model was asked for, `engine` stood in for it, and `degraded_reason` says why.
    """

    engine: Literal["illustrated", "prompt", "portrait", "lookalike", "diffusion"]
    variants: list[Variant]
    failed: list[FailedVariant] = []
    understood: list[str] = []
    ignored: list[str] = []
    unsupported: list[str] = []
    face: FaceBox | None = None
    suggested: dict[str, str] = {}
    cached: bool = False
    degraded: bool = False
    degraded_reason: str | None = None
    timings_ms: dict[str, float] = {}


class GenerateAvatar(Command):
    """Draw avatars from exactly one of `prompt`, `seed` and `photo`; by a diffusion model, from a `prompt`, with or without a `photo`.

    `sizes` and `formats` go before `size` and `format`: every variant is made in each size and format. `style_options` are the style's
    own; GET /v1/services lists them. `style_picture` is any picture: a photo is painted in its manner.

    `engine: diffusion` asks for a model on a machine with a GPU: `steps`, `guidance`, `negative_prompt` and, from a photo, `strength` (how
    far from it, 1: as if there were none) are for it alone. With `degrade` the other engines stand in where it cannot: `style`,
    `style_options`, `style_picture` and `background` are then for them.
    """

    kind: ClassVar[str] = "avatar.generate.v1"
    route: ClassVar[str | None] = "avatars"
    result: ClassVar[type[Result]] = AvatarResult
    needs: ClassVar[tuple[str, ...]] = ("gpu",)
    examples: ClassVar = (
        {"prompt": "a grumpy robot with an antenna", "variants": 4, "size": 512},
        {"seed": "ada@example.com", "style": "avataaars", "format": "svg"},
        {
            "seed": "ada@example.com",
            "style": "avataaars",
            "style_options": {"topVariant": "bun"},
            "sizes": [64, 512],
            "formats": ["png", "webp"],
        },
        {"photo": "upl_2f1c9a7be6d04c6f", "style": "poster"},
        {"photo": "upl_2f1c9a7be6d04c6f", "style": "avataaars", "variants": 3},
        {"prompt": "a portrait of a fox in a tweed jacket, oil on canvas", "engine": "diffusion", "degrade": True, "variants": 4},
    )

    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = None
    seed: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    photo: UploadId | None = None
    style_picture: UploadId | None = None
    style: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")] | None = None
    variants: Annotated[int, Field(ge=1, le=16)] = 1
    size: Size = 512
    format: Format = "png"
    sizes: Annotated[list[Size], Field(min_length=1, max_length=8)] | None = None
    formats: Annotated[list[Format], Field(min_length=1, max_length=5)] | None = None
    style_options: Annotated[dict[OptionName, OptionValue], Field(max_length=400)] | None = None
    background: Colour | None = None
    random_seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    engine: Literal["diffusion"] | None = None
    degrade: bool = False
    steps: Annotated[int, Field(ge=1, le=100)] | None = None
    guidance: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] | None = None
    negative_prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = None
    strength: Annotated[float, Field(ge=0.05, le=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _exactly_one_source(self) -> "GenerateAvatar":
        if self.engine == "diffusion":
            if self.prompt is None or self.seed is not None:
                msg = "engine diffusion goes by a prompt, with or without a photo, and by no seed"
                raise ValueError(msg)
        elif sum(source is not None for source in (self.prompt, self.seed, self.photo)) != 1:
            msg = "give exactly one of prompt, seed and photo"
            raise ValueError(msg)
        if self.style_picture is not None and self.photo is None:
            msg = "style_picture goes with a photo"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _not_too_many_files(self) -> "GenerateAvatar":
        if (files := self.variants * len(self.edges()) * len(self.kinds())) > MOST_OUTPUTS:
            msg = f"variants × sizes × formats are {files} files; ask for at most {MOST_OUTPUTS}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _no_field_does_nothing(self) -> "GenerateAvatar":
        if self.engine == "diffusion":
            if "svg" in self.kinds():
                msg = "a diffusion model makes pixels: ask for png, webp, avif or jpeg"
                raise ValueError(msg)
            idle = () if self.degrade else ("style", "style_options", "style_picture", "background")
            if self.photo is None:
                idle = (*idle, "strength")
            if found := [name for name in idle if getattr(self, name) is not None]:
                why = "a model has no styles (with degrade they are for what stands in), and strength is for a photo"
                msg = f"{' and '.join(found)} would do nothing: {why}"
                raise ValueError(msg)
        elif found := [name for name in ("degrade", *DIFFUSION) if getattr(self, name) not in (None, False)]:
            msg = f"{' and '.join(found)} would do nothing: say engine diffusion as well"
            raise ValueError(msg)
        return self

    def need(self) -> str | None:
        """A GPU, for a diffusion model."""
        return "gpu" if self.engine == "diffusion" else None

    def makes_do(self) -> bool:
        """Where it may be degraded."""
        return self.degrade

    def edges(self) -> list[int]:
        """The sizes to make, each once, in the order asked for."""
        return list(dict.fromkeys(self.sizes or [self.size]))

    def kinds(self) -> list[Format]:
        """The formats to make, each once, in the order asked for."""
        return list(dict.fromkeys(self.formats or [self.format]))


class SweepAvatar(Sweep):
    """The avatar service's sweep."""

    kind: ClassVar[str] = "avatar.sweep.v1"


class MeasureAvatar(MeasureQueues):
    """The avatar service's look at its queues."""

    kind: ClassVar[str] = "avatar.measure.v1"


CONTRACT = Contract("avatar", "Avatars from a prompt, a seed or a photo", (GenerateAvatar, SweepAvatar, MeasureAvatar))
