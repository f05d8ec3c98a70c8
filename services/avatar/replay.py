"""Draws a DiceBear style with options of two kinds: choices, among which the seed picks, and exact values, which are drawn as they are.

A variant's stored options are exact values for everything that the library resolved, also for parts that its public options cannot
name (the third blob's angle, a part that is absent). So the same picture comes out whatever a later release's seeds would pick.
DiceBear keeps what it resolved in a memo; an exact value is put there before it draws.
"""

import math
import re
from typing import Any

from services.avatar.options import complain, nearest
from services.avatar.raster import RenderError
from services.avatar.styles import LoadedStyle

_HEX = re.compile(r"^#?(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$")
_FONT = re.compile(r"^[A-Za-z0-9 ,'-]{1,64}$")
_FILLS = ("solid", "linear", "radial")
_FLIPS = ("none", "horizontal", "vertical", "both")
_RANGES = {"Rotate": (-360, 360), "TranslateX": (-1000, 1000), "TranslateY": (-1000, 1000), "Scale": (0, 10), "ColorAngle": (-360, 360)}
_WHOLE = {"scale": (0, 10), "rotate": (-360, 360), "translateX": (-1000, 1000), "translateY": (-1000, 1000), "borderRadius": (0, 50),
          "fontWeight": (1, 1000)}  # fmt: skip
OWN = frozenset({"seed", "size", "title", "idRandomization", "tags"})
"""What the request's own fields say, or what would put a user's text into the file."""


def draw(loaded: LoadedStyle, seed: str, size: int, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The SVG, and everything that was resolved for it: exact values, None for a part that is absent.

    Raises:
        RenderError: an option that the style does not have or does not know the value of.
    """
    from dicebear import ValidationError  # noqa: PLC0415 - it brings jsonschema, which the worker's parent does without
    from dicebear.options import Options  # noqa: PLC0415
    from dicebear.renderer import Renderer  # noqa: PLC0415
    from dicebear.resolver import Resolver  # noqa: PLC0415

    choices, exact = split(loaded, options)
    try:
        resolver = Resolver(loaded.style, Options({**choices, "seed": seed, "size": size}))
        resolver._result.update(exact)  # noqa: SLF001 - the memo has no door; test_avatar_recipes guards the name
        svg = Renderer(loaded.style, resolver).render()
    except ValidationError as error:
        raise RenderError(f"the style {loaded.name} refused its options: {error}") from error
    absent = {name: None for name, value in resolver._result.items() if value is None and name not in OWN}  # noqa: SLF001
    return svg, {**absent, **{name: value for name, value in resolver.resolved().items() if name not in OWN}}


def split(loaded: LoadedStyle, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choices and exact values. Raises RenderError for what is neither."""
    choices: dict[str, Any] = {}
    exact: dict[str, Any] = {}
    for name, value in options.items():
        if complaint := wrong(loaded, name, value, options):
            raise RenderError(complaint)
        if is_exact(loaded, name, value, options):
            exact[name] = [_hex(colour) for colour in value] if name.endswith("Color") else value
        else:
            choices[name] = value
    return choices, exact


def wrong(loaded: LoadedStyle, name: str, value: Any, options: dict[str, Any]) -> str | None:
    """What is wrong with one option, in a sentence, or None."""
    if name in OWN or (name not in loaded.descriptor and _part(loaded, name) is None):
        return f"The style {loaded.name} has no option {name}{nearest(name, [*loaded.descriptor])}"
    if not is_exact(loaded, name, value, options):
        return complain(loaded, name, value)
    fault = _fault(loaded, name, value)
    return f"{loaded.name}.{name} {fault}" if fault else None


def _fault(loaded: LoadedStyle, name: str, value: Any) -> str | None:
    """What is wrong with an exact value: the sentence's end, or None."""
    fault = None
    if name.endswith("Variant"):
        known = list(loaded.style.components()[name.removesuffix("Variant")].variants())
        if value is not None and value not in known:
            fault = f"has no value {value}{nearest(str(value), known)}"
    elif name.endswith("Color"):
        if bad := [str(colour) for colour in value if not _HEX.match(str(colour))]:
            fault = f"has no value {', '.join(bad)}: write #rrggbb"
    elif name.endswith("ColorFill") or name == "flip":
        known = list(_FILLS if name != "flip" else _FLIPS)
        fault = None if value in known else f"must be one of {', '.join(known)}"
    elif name == "fontFamily":
        fault = None if isinstance(value, str) and _FONT.match(value) else "is no font's name"
    else:
        low, high = _WHOLE.get(name) or next(span for end, span in _RANGES.items() if name.endswith(end))
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
        fault = None if fits else f"must be a number from {low} to {high}"
    return fault


def is_exact(loaded: LoadedStyle, name: str, value: Any, options: dict[str, Any]) -> bool:
    """Whether a value is drawn as it is: a plain one, a single colour, a gradient's colours beside their plain fill."""
    if name.endswith("Color") and isinstance(value, list):
        return len(value) <= 1 or options.get(f"{name}Fill") in _FILLS[1:]
    if name.endswith("Color") or isinstance(value, list):
        return False
    return name in _WHOLE or name in {"flip", "fontFamily"} or _part(loaded, name) is not None


def _part(loaded: LoadedStyle, name: str) -> str | None:
    """The part (or the colour) that an exact option speaks of."""
    for end in ("Variant", "Rotate", "TranslateX", "TranslateY", "Scale"):
        part = name.removesuffix(end)
        if part != name and part in loaded.style.components():
            return part
    for end in ("ColorFill", "ColorAngle", "Color"):
        colour = name.removesuffix(end)
        if colour != name and (colour == "background" or colour in loaded.style.colors()):
            return colour
    return None


def _hex(colour: Any) -> str:
    return f"#{str(colour).removeprefix('#').lower()}"
