"""Options against a style's descriptor: DiceBear accepts an unknown variant name and draws the part not at all.

So nothing is drawn before every option exists in the style and every value is one that the option knows.
"""

import re
from typing import Any

from services.avatar.raster import RenderError
from services.avatar.styles import LoadedStyle

_COLOUR = re.compile(r"^(?:[0-9a-f]{6}|[0-9a-f]{8})$", re.IGNORECASE)


def check_options(loaded: LoadedStyle, options: dict[str, Any]) -> None:
    """Pass, or say what is wrong.

    Raises:
        RenderError: an option or a value that the style does not have.
    """
    for name, value in options.items():
        if complaint := complain(loaded, name, value):
            raise RenderError(complaint)


def complain(loaded: LoadedStyle, name: str, value: Any) -> str | None:
    """What is wrong with one option, or None."""
    field = loaded.descriptor.get(name)
    if field is None:
        return f"the style {loaded.name} has no option {name}"
    if field["type"] == "number":
        low, high = field.get("min", 0), field.get("max", value)
        return None if low <= value <= high else f"{loaded.name}.{name} must be from {low} to {high}, not {value}"
    values = value if isinstance(value, list) else [value]
    if field["type"] == "enum":
        wrong = [str(item) for item in values if item not in field["values"]]
    elif field["type"] == "color":
        wrong = [str(item) for item in values if not _COLOUR.match(str(item).removeprefix("#"))]
    else:
        return None
    return f"{loaded.name}.{name} has no value {', '.join(wrong)}" if wrong or not values else None
