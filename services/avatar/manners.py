"""How a portrait is made: which print or painting, in which inks. Read from a command's `style_options`, written into its result."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.avatar.options import nearest
from services.avatar.painting import PAINTINGS
from services.avatar.palettes import BY_NAME, PALETTES, Palette, of_colours
from services.avatar.prints import PRINT_NAMES
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError

PAINTING: Final = "painting"
PORTRAIT_NAMES: Final = (*PRINT_NAMES, PAINTING)
_INK = re.compile(r"^#[0-9a-fA-F]{6}$")
_GROUND = re.compile(r"^(#[0-9a-fA-F]{6}|transparent)$")
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    **{
        name: {
            "palette": {"type": "palette", "values": list(BY_NAME), "or": "a list of 2 to 5 colours, #rrggbb"},
            "background": {"type": "color", "values": ["transparent"]},
        }
        for name in PRINT_NAMES
    },
    PAINTING: {
        "painting": {"type": "enum", "values": list(PAINTINGS)},
        "strength": {"type": "number", "min": 0.2, "max": 1},
        "background": {"type": "color", "values": ["transparent"]},
    },
}
"""By style: its options, for the catalogue. The photo's colours show in `photo`, whose palette is only a ground."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One variant's: a print has a palette, a painting a name (None: like the picture that was given)."""

    style: str
    palette: Palette
    painting: str | None = None
    strength: float = 1.0
    background: str | None = None


def manners(command: GenerateAvatar, style: str) -> list[Manner]:
    """One for each variant: the palettes (or paintings) in turn, beginning with the one that `random_seed` chooses.

    Raises:
        PermanentError: `invalid-style-option`: an unknown option or value, or several variants of what was fixed to one.
    """
    options = _known(style, command.style_options or {})
    if command.style_picture and "painting" in options:
        raise _refused("painting", "A painting is either of ours or like your picture: leave one of the two out.")
    fixed = next((name for name in ("palette", "painting") if name in options), "style_picture" if command.style_picture else None)
    if fixed and command.variants > 1:
        raise _refused(fixed, f"With {fixed} given, all variants would be the same: ask for one, or leave it out.")
    start = command.random_seed or 0
    chosen = options.get("palette")
    names = tuple(PAINTINGS)
    row = range(start, start + command.variants)
    return [
        Manner(
            style,
            PALETTES[number % len(PALETTES)] if chosen is None else _palette(chosen),
            None if style != PAINTING or command.style_picture else options.get("painting", names[number % len(names)]),
            float(options.get("strength", 1.0)),
            options.get("background", command.background),
        )
        for number in row
    ]


def resolved(manner: Manner, ground: str) -> dict[str, Any]:
    """The options that make the same picture again of the same photo."""
    if manner.style == PAINTING:
        named = {"painting": manner.painting} if manner.painting else {}
        return {**named, "strength": manner.strength, "background": ground}
    name = manner.palette.name
    return {"palette": name if name in BY_NAME else list(manner.palette.inks), "background": ground}


def _known(style: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    known = OPTIONS[style]
    for name, value in options.items():
        if name not in known:
            raise _refused(name, f"The style {style} has no option {name}{nearest(name, list(known))}")
        if complaint := _CHECKS[name](value):
            raise _refused(name, f"{style}.{name} {complaint}")
    return options


def _palette_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return None if value in BY_NAME else f"has no value {value}{nearest(value, list(BY_NAME))}"
    fits = isinstance(value, list) and 2 <= len(value) <= 5 and all(isinstance(ink, str) and _INK.match(ink) for ink in value)  # noqa: PLR2004
    return None if fits else "must be a palette's name or a list of 2 to 5 colours, #rrggbb"


def _painting_fault(value: Any) -> str | None:
    return None if value in PAINTINGS else f"has no value {value}{nearest(str(value), list(PAINTINGS))}"


def _strength_fault(value: Any) -> str | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0.2 <= value <= 1  # noqa: PLR2004 - below, it is the photo
    return None if fits else "must be a number from 0.2 to 1"


def _ground_fault(value: Any) -> str | None:
    return None if isinstance(value, str) and _GROUND.match(value) else "must be #rrggbb or transparent"


_CHECKS = {"palette": _palette_fault, "painting": _painting_fault, "strength": _strength_fault, "background": _ground_fault}


def _palette(value: str | Sequence[str]) -> Palette:
    return BY_NAME[value] if isinstance(value, str) else of_colours(value)


def _refused(name: str, sentence: str) -> PermanentError:
    pointer = "/style_picture" if name == "style_picture" else f"/style_options/{name}"
    return PermanentError(sentence, type="invalid-style-option", pointer=pointer)
