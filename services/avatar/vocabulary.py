"""The lexicon's tables, read once: `lexicon/words/*.toml` (phrases), `lexicon/colours.toml`, `lexicon/subjects.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "lexicon"
PERSONAL = frozenset({"gender", "age", "hair", "skin", "beard", "clothes", "glasses", "hat"})
"""Categories that only a person has: a prompt with one of them and no subject means a person."""

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the words mean.

    `phrases` maps a phrase to its traits, each `category.value`; `colours` maps a slot (or `any`) and a colour's name to rrggbb;
    `styles` maps a subject to the styles that draw it, fittest first; `looks` maps a look to the styles it prefers.
    """

    phrases: dict[Phrase, tuple[str, ...]]
    stop: frozenset[str]
    negations: frozenset[str]
    colours: dict[str, dict[str, str]]
    styles: dict[str, list[str]]
    looks: dict[str, list[str]]

    @property
    def longest(self) -> int:
        """The number of words of the longest phrase."""
        return max(map(len, self.phrases))

    def colour(self, slot: str, name: str) -> str | None:
        """The shade of a colour in a slot: red hair is not red."""
        return self.colours.get(slot, {}).get(name) or self.colours["any"].get(name)


@cache
def vocabulary() -> Vocabulary:
    """The tables, checked only by tests: they are the house's own."""
    phrases: dict[Phrase, list[str]] = {}
    grammar: dict[str, set[str]] = {"stop": set(), "not": set()}
    for path in sorted((FOLDER / "words").glob("*.toml")):
        table = read_table(path)
        for role, words in table.pop("grammar", {}).items():
            grammar[role].update(words)
        for category, values in table.items():
            for value, wordings in values.items():
                for wording in wordings:
                    traits = phrases.setdefault(tuple(wording.split()), [])
                    traits.append(_trait(category, value))
    subjects = read_table(FOLDER / "subjects.toml")
    return Vocabulary(
        phrases={phrase: tuple(dict.fromkeys(traits)) for phrase, traits in phrases.items()},
        stop=frozenset(grammar["stop"]),
        negations=frozenset(grammar["not"]),
        colours=read_table(FOLDER / "colours.toml"),
        styles=subjects["styles"],
        looks=subjects["look"],
    )


def read_table(path: Path) -> dict[str, Any]:
    """One TOML file."""
    return tomllib.loads(path.read_text("utf-8"))


def _trait(category: str, value: str) -> str:
    """Words for a shade of hair or skin are colours like any other."""
    if category == "hair_colour":
        return f"colour.hair.{value}"
    if category == "skin" and value != "any":
        return f"colour.skin.{value}"
    return f"{category}.{value}"
