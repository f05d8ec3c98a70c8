"""From traits to a style's options, by the style's own table in `lexicon/styles/`."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from services.avatar.styles import LoadedStyle, style_names
from services.avatar.vocabulary import FOLDER, read_table, vocabulary

_ORDER = ("subject", "gender", "age", "mood")
"""Broad traits first: the later of two that want the same part has its way (a wink over a mood, glasses over a wink)."""

_ONE_PART = frozenset({"subject", "hat", "extra"})


@dataclass(frozen=True, slots=True)
class StyleTable:
    """What a style can draw: options by trait, the options of each colour slot, and the options for what nobody asked about.

    `avoid` are traits that it shows badly: it draws them when it must, but other styles are asked first.
    """

    traits: dict[str, dict[str, Any]]
    colours: dict[str, list[str]]
    neutral: dict[str, Any]
    avoid: frozenset[str] = frozenset()

    def can(self, trait: str, subjects: frozenset[str]) -> bool:
        """Whether the trait shows in this style; a subject does where the style is one of its own."""
        category, _, value = trait.partition(".")
        if category == "colour":
            return trait in self.traits or value.partition(".")[0] in {*self.colours, "background"}
        return trait in self.traits or (category == "subject" and value in subjects)


@cache
def tables() -> dict[str, StyleTable]:
    """Every style that has a table, by name."""
    found = {path.stem: read_table(path) for path in sorted((FOLDER / "styles").glob("*.toml"))}
    return {
        name: StyleTable(
            traits={trait: options for trait, options in table.items() if "." in trait},
            colours=table.get("colours", {}),
            neutral=table.get("neutral", {}),
            avoid=frozenset(table.get("avoid", [])),
        )
        for name, table in found.items()
        if name in style_names()
    }


def subjects_of(style: str) -> frozenset[str]:
    """The subjects that this style draws."""
    return frozenset(subject for subject, styles in vocabulary().styles.items() if style in styles)


def options_for(loaded: LoadedStyle, table: StyleTable, traits: list[str]) -> dict[str, Any]:
    """The options that show `traits`, over the neutral ones; every part that is named is switched on.

    Two traits that want the same part agree on what both allow ("long" and "curly"); where nothing is left, the later wins.
    """
    asked: dict[str, Any] = {}
    for trait in sorted(traits, key=_rank):
        for option, value in _of(table, trait).items():
            asked[option] = _agree(asked.get(option), value)
            probability = option.removesuffix("Variant") + "Probability"
            if option.endswith("Variant") and probability in loaded.descriptor:
                asked[probability] = 100
    return {**table.neutral, **asked}


def hidden(table: StyleTable, trait: str, traits: list[str]) -> bool:
    """Whether another of the `traits` takes the part by which this one shows: a crown where a cat's ears would be.

    Asked of what is one part, or is known by its first one: subjects, hats and extras. Moods and hair show in many.
    """
    if trait.partition(".")[0] not in _ONE_PART:
        return False
    final: dict[str, Any] = {}
    for each in sorted(traits, key=_rank):
        for option, value in _of(table, each).items():
            final[option] = _agree(final.get(option), value)
    option, values = next(iter(_of(table, trait).items()), ("", None))
    return isinstance(values, list) and isinstance(final[option], list) and not set(values) & set(final[option])


def _of(table: StyleTable, trait: str) -> dict[str, Any]:
    if trait in table.traits:
        return table.traits[trait]
    category, _, value = trait.partition(".")
    if category != "colour":
        return {}
    slot, _, name = value.partition(".")
    shade = vocabulary().colour(slot, name)
    options = ["backgroundColor"] if slot == "background" else table.colours.get(slot, [])
    return {option: [shade] for option in options} if shade else {}


def _agree(earlier: Any, later: Any) -> Any:
    if not isinstance(earlier, list) or not isinstance(later, list):
        return later
    return [value for value in earlier if value in later] or later


def _rank(trait: str) -> int:
    """The broad before the special, within a category too: "a long beard" is a beard, and a long one."""
    category = trait.partition(".")[0]
    broad = _ORDER.index(category) if category in _ORDER else len(_ORDER)
    return broad if trait.endswith(".any") or category in _ORDER else broad + 1
