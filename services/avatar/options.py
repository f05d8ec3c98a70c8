"""Options against a style's descriptor: DiceBear accepts an unknown variant name and draws the part not at all.

So nothing is drawn before every option exists in the style and every value is one that the option knows.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from services.avatar.styles import LoadedStyle

_COLOUR = re.compile(r"^(?:[0-9a-f]{6}|[0-9a-f]{8})$", re.IGNORECASE)


def complain(loaded: LoadedStyle, name: str, value: Any) -> str | None:
    """What is wrong with one option, or None."""
    field = loaded.descriptor.get(name)
    if field is None:
        return f"The style {loaded.name} has no option {name}"
    values = value if isinstance(value, list) else [value]
    if field["type"] in {"number", "range"}:
        low, high = field.get("min", -1000), field.get("max", 1000)
        fits = all(isinstance(item, int | float) and not isinstance(item, bool) and low <= item <= high for item in values)
        return None if values and fits else f"{loaded.name}.{name} must be from {low} to {high}, not {value}"
    if field["type"] == "enum":
        wrong = [str(item) for item in values if item not in field["values"]]
        hint = nearest(wrong[0], field["values"]) if wrong else ""
    elif field["type"] == "color":
        wrong = [str(item) for item in values if not _COLOUR.match(str(item).removeprefix("#"))]
        hint = ": write #rrggbb"
    else:
        return None
    return f"{loaded.name}.{name} has no value {', '.join(wrong)}{hint}" if wrong or not values else None


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a complaint: what was probably meant, or what there is."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or list(known)[:6]
    return f"; did you mean {' or '.join(near)}?" if near else ""
