"""Prompts: a text becomes a subject, a style that can draw it, and that style's options.

A lexicon, not a language model: it says which words it understood and which it left aside. Variants differ in style, the
style that shows most of what was asked for first.
"""

from functools import partial

from services.avatar.drafts import Commission, Draft
from services.avatar.illustrated import checked, derived_seed, illustrate
from services.avatar.reading import Reading, read
from services.avatar.styles import load_style, require_style
from services.avatar.vocabulary import vocabulary
from services.avatar.wishes import StyleTable, hidden, options_for, subjects_of, tables
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError

_NO_TABLE = StyleTable({}, {}, {})


def load() -> None:
    """The lexicon and the styles' tables."""
    vocabulary()
    tables()


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Plan the pictures of a `prompt` command.

    A prompt of which nothing is understood still gives a picture, drawn from its text as a seed; `understood` is then empty.

    Raises:
        PermanentError: `unknown-style`, `invalid-style-option`.
    """
    if command.style_options and command.style is None:
        raise PermanentError("Options belong to a style: name it in `style`.", type="invalid-style-option", pointer="/style")
    clock = workshop.clock
    prompt = " ".join((command.prompt or "").split())
    with clock.stage("read"):
        reading = read(prompt)
        styles = [require_style(command.style)] if command.style else rank_styles(reading, workshop.settings.seed_style)
    drafts: list[Draft] = []
    shown: set[str] = set()
    for number in range(command.variants):
        name = styles[number % len(styles)]
        drawn, undrawn = split(reading, name)
        shown.update(drawn)
        with clock.stage("style"):
            loaded = load_style(name)
            own = checked(loaded, command.style_options)
        options = options_for(loaded, tables().get(name, _NO_TABLE), [trait for trait, text in reading.wishes if text in drawn])
        seed = derived_seed(prompt.casefold(), number + 1, command.random_seed)
        draw = partial(illustrate, name, seed, {**options, **own}, command=command, clock=clock)
        drafts.append(Draft(name, loaded.rights, draw, seed, tuple(undrawn)))
    asked = list(dict.fromkeys(text for _, text in reading.wishes))
    return Commission(
        "prompt",
        drafts,
        understood=[*(text for text in asked if text in shown), *reading.without],
        ignored=list(reading.ignored),
        unsupported=[text for text in asked if text not in shown],
    )


def rank_styles(reading: Reading, fallback: str) -> list[str]:
    """The styles that show most of a reading, fittest first. One that shows less is left out: a repeated style beats a missing hijab."""
    known = vocabulary()
    if reading.subject is None:
        return [fallback]
    candidates = known.styles[reading.subject]
    liked = [style for look in reading.looks for style in known.looks.get(look, []) if style in candidates]
    pool = list(dict.fromkeys([*liked, *candidates]))
    scores = {style: _score(reading, style) + 2 * (style in liked) for style in pool}
    best = max(scores.values())
    return [style for style in pool if scores[style] == best]


def split(reading: Reading, style: str) -> tuple[list[str], list[str]]:
    """The prompt's words that `style` shows, and those it has no means to show."""
    texts = dict.fromkeys(text for _, text in reading.wishes)
    drawn = [text for text in texts if any(_shows(reading, style, trait) for trait, owner in reading.wishes if owner == text)]
    return drawn, [text for text in texts if text not in drawn]


def _score(reading: Reading, style: str) -> int:
    """How many of the wishes a style shows; what the picture is of counts twice: rather a cat with no crown than the reverse."""
    avoid = tables().get(style, _NO_TABLE).avoid
    shown = [trait for trait, _ in reading.wishes if trait not in avoid and _shows(reading, style, trait)]
    return len(shown) + sum(trait.startswith("subject.") for trait in shown)


def _shows(reading: Reading, style: str, trait: str) -> bool:
    category, _, value = trait.partition(".")
    if category == "look":
        return style in vocabulary().looks.get(value, [])
    table = tables().get(style, _NO_TABLE)
    known = table.can(trait, subjects_of(style) if reading.subject else frozenset())
    return known and not hidden(table, trait, [other for other, _ in reading.wishes])
