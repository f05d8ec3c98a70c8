"""What every engine makes: a list of pictures that can each be drawn on its own, and what to say about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.avatar.styles import Rights
from shared.contracts.avatar import FaceBox

EngineName = Literal["illustrated", "prompt", "portrait"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture: the file's bytes, and the options (as resolved) that draw it again."""

    data: bytes
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """One variant before it is drawn. `draw` may raise `RenderError`: this picture is lost, the others are not."""

    style: str
    rights: Rights
    draw: Callable[[], Drawn]
    seed: str | None = None
    undrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commission:
    """A whole job, ready to be drawn."""

    engine: EngineName
    drafts: Sequence[Draft]
    understood: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    face: FaceBox | None = None
