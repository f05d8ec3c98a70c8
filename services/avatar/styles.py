"""The illustrated styles: DiceBear's definitions, each loaded when it is first asked for.

`dicebear.Style(definition)` validates the definition against a JSON Schema in pure Python: 0.1 to 4 s a style, 52 s for all.
The definitions come from the pinned package `dicebear-styles`, never from users, so validating them at run time protects
nobody; `_trusted` skips it and costs as much as parsing the JSON (1 to 10 ms). What is lost: a broken definition in a new
release would show as a failing render instead of a schema error. A test renders every style, and compares with the validated
way. Users' options are still validated, on every draw.
"""

import difflib
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from shared.errors import PermanentError

if TYPE_CHECKING:
    from dicebear import Style

# The smallest definition that the schema accepts; validating it takes 2 ms.
_BLANK: dict[str, Any] = {"canvas": {"width": 1, "height": 1, "elements": []}}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a picture's user owes its maker. `attribution` is the sentence to print; all None: nothing is owed."""

    licence: str | None = None
    licence_url: str | None = None
    creator: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedStyle:
    """A style ready to draw with; `descriptor` says which options it has (DiceBear's OptionsDescriptor)."""

    name: str
    style: "Style"
    descriptor: dict[str, dict[str, Any]]
    palette: dict[str, list[str]]
    rights: Rights


@cache
def style_names() -> tuple[str, ...]:
    """Every style's name, in alphabetical order."""
    entries = files("dicebear_styles").iterdir()
    return tuple(sorted(entry.name.removesuffix(".json") for entry in entries if entry.name.endswith(".json")))


def require_style(name: str, known: tuple[str, ...] | None = None) -> str:
    """`name`, if it is one of `known` (default: the illustrated styles).

    Raises:
        PermanentError: `unknown-style`, with the nearest names.
    """
    choices = style_names() if known is None else known
    if name in choices:
        return name
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5) or choices[:3]
    raise PermanentError(
        f"There is no style {name!r} for this source. Did you mean {' or '.join(near)}? GET /v1/services lists all {len(choices)}.",
        type="unknown-style",
        pointer="/style",
    )


@lru_cache(maxsize=64)
def load_style(name: str) -> LoadedStyle:
    """The style `name`, from the cache or in some milliseconds.

    Raises:
        PermanentError: `unknown-style`.
    """
    from dicebear import OptionsDescriptor  # noqa: PLC0415 - it brings jsonschema, which the worker's parent does without

    definition = _definition(require_style(name))
    style = _trusted(definition)
    colours = {colour: list(data["values"]) for colour, data in definition.get("colors", {}).items()}
    return LoadedStyle(name, style, OptionsDescriptor(style).to_json(), colours, rights_of(definition))


def rights_of(definition: dict[str, Any]) -> Rights:
    """The licence in a definition's `meta` block. CC0 asks for nothing, so its attribution is None."""
    meta = definition.get("meta", {})
    licence = meta.get("license", {})
    name = str(licence.get("name", "")).rstrip(".") or None
    owes = name is not None and not name.startswith("CC0")
    return Rights(name, licence.get("url"), meta.get("creator", {}).get("name"), licence.get("text") if owes else None)


@cache
def licences() -> dict[str, Rights]:
    """Every style's rights by name, without building any style: 5 MB of JSON are parsed once, in about 0.1 s."""
    return {name: rights_of(_definition(name)) for name in style_names()}


@cache
def choices() -> dict[str, dict[str, list[str]]]:
    """Every style's parts with their variants, and its colours (no values: any #rrggbb), without building any style."""
    found = {}
    for name in style_names():
        definition = _definition(name)
        parts = {f"{part}Variant": list(data["variants"]) for part, data in definition.get("components", {}).items() if "variants" in data}
        found[name] = {**parts, **{f"{colour}Color": [] for colour in definition.get("colors", {})}}
    return found


def _definition(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8"))
    return loaded


def _trusted(definition: dict[str, Any]) -> "Style":
    """A `Style` over a definition that is not validated: every view of it is built lazily from `_data`."""
    from dicebear import Style  # noqa: PLC0415 - as in load_style

    style = Style(_BLANK)
    style._data = definition  # noqa: SLF001 - there is no public way round the validation; test_avatar_styles guards the name
    return style
