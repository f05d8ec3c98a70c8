"""What every engine makes: a list of pictures that can each be drawn on its own, and what to say about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from services.avatar.styles import Rights
from shared.contracts.avatar import FaceBox, Format

EngineName = Literal["illustrated", "prompt", "portrait", "lookalike", "diffusion"]


class Picture(Protocol):
    """A finished picture, ready to be written in any size and format."""

    @property
    def options(self) -> dict[str, Any]:
        """The options (as resolved) that draw it again."""

    def file(self, size: int, fmt: Format) -> bytes:
        """The file's bytes. Raises `RenderError`: this file is lost, the picture's others are not."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One variant before it is drawn. `draw` may raise `RenderError`: this picture is lost, the others are not."""

    style: str
    rights: Rights
    draw: Callable[[], Picture]
    seed: str | None = None
    undrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commission:
    """A whole job, ready to be drawn.

    `tells_progress`: its pictures say themselves how far they are. `degraded_reason`: why this engine stands in for another, where it does.
    """

    engine: EngineName
    drafts: Sequence[Draft]
    understood: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    face: FaceBox | None = None
    suggested: dict[str, str] = field(default_factory=dict)
    tells_progress: bool = False
    degraded_reason: str | None = None
