"""Variables that are nothing but a name, filled in as minijinja would, without it.

Most templates ask for `{{ name }}` and little else, and three calls of the engine were a tenth of what a mail cost. What is not a plain
text or a whole number is left to the engine, and so is whatever is missing: it knows what to say of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Constants, and what is the engine's own in places; `self` cannot be handed to it.
RESERVED = frozenset({"true", "True", "false", "False", "none", "None", "loop", "self", "super", "caller"})
SPECIAL = re.compile(r"[&<>\"']")
# As minijinja writes them, but for the slash, which `templates.renderer` turns back.
ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
LARGEST = 1 << 63
"""Whole numbers below it are written alike by the engine and by `str`."""
Spell = Callable[[Mapping[str, Any]], list[str] | None]


def speller(expressions: Sequence[str], *, escape: bool) -> Spell | None:
    """A function from a recipient's values to those of `expressions`; it gives None where the engine is to be asked.

    None where one of them is more than a name.
    """
    if not all(NAME.fullmatch(each) and each not in RESERVED for each in expressions):
        return None

    def spell(values: Mapping[str, Any]) -> list[str] | None:
        found = []
        for name in expressions:
            value = values.get(name)
            if type(value) is str:
                found.append(value.translate(ESCAPED) if escape and SPECIAL.search(value) else value)
            elif type(value) is int and -LARGEST < value < LARGEST:
                found.append(str(value))
            else:
                return None
        return found

    return spell
