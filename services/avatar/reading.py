"""Reads a prompt: which subject, which traits, and which words meant nothing. No grammar beyond what the tests show.

Longest phrase first, left to right. A colour belongs to the next thing that can have one ("curly red hair"), else to the one
before ("a robot in green", "cheveux roux"). "without glasses" takes the trait away.
"""

import re
from dataclasses import dataclass, replace

from services.avatar.vocabulary import PERSONAL, Vocabulary, vocabulary

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,.;:!?]")
_REACH = 3
"""How many words may stand between a colour and its thing."""
_HEAD_ENDS = frozenset({"with", "in", "wearing", "who", "that", "and", "on", "of", ",", "without", "avec", "aux", "sans", "mit", "ohne"})
SLOTS = {"hair": "hair", "beard": "beard", "skin": "skin", "glasses": "glasses", "clothes": "clothes", "hat": "hat", "eyes": "eyes",
         "subject": "body", "background": "background", "colour": "", "species": "body"}  # fmt: skip
"""By category: whose colour a colour beside it is."""


@dataclass(frozen=True, slots=True)
class Word:
    """A matched phrase as it was written, where it stands, and its traits; a colour's is `tint.<name>` until it finds its thing."""

    text: str
    place: int
    traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt as understood: `subject` None where nothing was, `wishes` pairs each trait with the words that asked for it.

    `without` are the things that were asked to be left out, as written.
    """

    subject: str | None
    wishes: tuple[tuple[str, str], ...]
    looks: tuple[str, ...]
    without: tuple[str, ...]
    ignored: tuple[str, ...]


def read(prompt: str) -> Reading:
    """Everything the lexicon knows of `prompt`."""
    known = vocabulary()
    tokens = [match.group() for match in _WORD.finditer(prompt.casefold().replace("-", " "))]
    words, unknown = _match(tokens, known)
    negated = [word for word in words if word.place and tokens[word.place - 1] in known.negations]
    words = _lengths([word for word in words if word not in negated])  # parts that nobody asks for are left out anyway
    subject = _subject(words, tokens)
    kept = [word for word in words if not _foreign(word, subject)]
    unknown += [word.text for word in words if _foreign(word, subject)]
    pairs = [(trait, word.text) for word in _tint(kept, tokens, known, unknown) for trait in word.traits]
    wishes = tuple((trait, text) for trait, text in pairs if not trait.endswith(".any") or trait.startswith(("glasses", "beard", "hat")))
    lone = [text for trait, text in pairs if (trait, text) not in wishes and not _served(trait, wishes)]
    looks = tuple(trait.partition(".")[2] for trait, _ in wishes if trait.startswith("look."))
    # A part can be left out; the picture's subject cannot.
    parts = [word for word in negated if not all(trait.startswith("subject.") for trait in word.traits)]
    unknown += [f"{tokens[word.place - 1]} {word.text}" for word in negated if word not in parts]
    without = tuple(f"{tokens[word.place - 1]} {word.text}" for word in parts)
    return Reading(subject, wishes, looks, without, tuple(dict.fromkeys([*unknown, *lone])))


def _match(tokens: list[str], known: Vocabulary) -> tuple[list[Word], list[str]]:
    words: list[Word] = []
    unknown: list[str] = []
    place = 0
    while place < len(tokens):
        for length in range(min(known.longest, len(tokens) - place), 0, -1):
            phrase = tuple(tokens[place : place + length])
            traits = known.phrases.get(phrase)
            if traits is None and length == 1:
                traits = _inflected(phrase[0], known)
            if traits is not None:
                words.append(Word(" ".join(phrase), place, traits))
                break
        else:
            length = 1
            if tokens[place][0].isalnum() and tokens[place] not in known.stop | known.negations:
                unknown.append(tokens[place])
        place += length
    return words, unknown


_PLURALS = (("ies", "y"), ("es", ""), ("s", ""), ("as", "o"), ("os", "o"), ("a", "o"))
_ADJECTIVES = ("em", "en", "er", "es", "e")
_LEAST_STEM = 3
_DESCRIBING = ("tint", "mood", "age", "hair", "beard", "eyes", "colour")


def _inflected(word: str, known: Vocabulary) -> tuple[str, ...] | None:
    """The traits of a word or of the one that it is a form of: a plural, a Spanish or French gender, a German adjective's ending.

    An adjective's ending is only taken off what describes: "manes" are no man.
    """
    stems = [(word, False)]
    stems += [(word.removesuffix(end) + base, end == "es") for end, base in _PLURALS if word.endswith(end)]
    stems += [(word.removesuffix(end), True) for end in _ADJECTIVES if word.endswith(end)]
    for stem, describes in stems:
        if len(stem) < _LEAST_STEM:
            continue
        traits = known.phrases.get((stem,)) or ((f"tint.{stem}",) if stem in known.colours["any"] else None)
        if traits and (not describes or all(trait.startswith(_DESCRIBING) for trait in traits)):
            return traits
    return None


def _lengths(words: list[Word]) -> list[Word]:
    """A bare "long" means the hair, unless the next thing is a beard ("a long white beard")."""
    result = []
    for word in words:
        nearest = next((later for later in words if 0 < later.place - word.place <= _REACH and _is_thing(later)), None)
        of_beard = nearest is not None and any(trait.startswith("beard.") for trait in nearest.traits)
        result.append(replace(word, traits=("beard.long",)) if word.text == "long" and of_beard else word)
    return result


def _is_thing(word: Word) -> bool:
    return any(trait.partition(".")[0] in SLOTS and not trait.startswith("colour.") for trait in word.traits)


def _subject(words: list[Word], tokens: list[str]) -> str | None:
    """The head of the phrase: the last subject before the first "with", else the first anywhere, else what the traits suggest."""
    found = [(word.place, trait.partition(".")[2]) for word in words for trait in word.traits if trait.startswith("subject.")]
    ends = next((place for place, token in enumerate(tokens) if token in _HEAD_ENDS and any(at < place for at, _ in found)), len(tokens))
    head = [subject for place, subject in found if place < ends] or [subject for _, subject in found[:1]]
    if head:
        return next((subject for subject in reversed(head) if subject != "emoji"), "emoji")
    categories = {trait.partition(".")[0] for word in words for trait in word.traits}
    if categories & PERSONAL or any(trait.startswith(("colour.hair", "colour.skin")) for word in words for trait in word.traits):
        return "person"
    for category, subject in (("mood", "emoji"), ("extra", "monster"), ("eyes", "monster")):
        if category in categories:
            return subject
    return None


def _foreign(word: Word, subject: str | None) -> bool:
    """Whether the word names another subject than the picture's: the cat of "a girl with a cat"."""
    named = [trait.partition(".")[2] for trait in word.traits if trait.startswith("subject.")]
    return bool(named) and subject not in named


def _served(noun: str, wishes: tuple[tuple[str, str], ...]) -> bool:
    """Whether a mere noun ("hair", "skin") was named for the sake of another wish about it."""
    category = noun.partition(".")[0]
    return any(trait.startswith((f"{category}.", f"colour.{SLOTS.get(category, category)}.")) for trait, _ in wishes)


def _tint(words: list[Word], tokens: list[str], known: Vocabulary, unknown: list[str]) -> list[Word]:
    """Give every colour its thing; what finds none is unknown."""
    result: list[Word] = []
    for word in words:
        if not word.traits[0].startswith("tint."):
            result.append(word)
            continue
        name = word.traits[0].partition(".")[2]
        slot = _slot(word, words, tokens, name, known)
        if slot is None:
            unknown.append(word.text)
        else:
            result.append(Word(word.text, word.place, (f"colour.{slot}.{name}",)))
    return result


def _slot(tint: Word, words: list[Word], tokens: list[str], name: str, known: Vocabulary) -> str | None:
    near = [word for word in words if 0 < abs(word.place - tint.place) <= _REACH]
    after = [word for word in near if word.place > tint.place and "," not in tokens[tint.place : word.place]]
    for word in after if not _trails(tint, near) else []:
        if slot := _slot_of(word):
            # "a black woman" speaks of her skin, "a green woman" of what she wears, and so does "a woman in black"
            return "skin" if slot == "person" and name in known.colours["skin"] else slot.replace("person", "clothes")
    before = [slot for word in near if word.place < tint.place and (slot := _slot_of(word))]
    return before[-1].replace("person", "clothes") if before else None


def _trails(tint: Word, near: list[Word]) -> bool:
    """Whether the colour stands right behind its thing and before nothing: "cheveux roux et lunettes", "hair red and glasses"."""
    follows = any(word.place + len(word.text.split()) == tint.place and _slot_of(word) for word in near)
    return follows and not any(word.place == tint.place + 1 and _slot_of(word) for word in near)


def _slot_of(word: Word) -> str | None:
    for trait in word.traits:
        category, _, value = trait.partition(".")
        if trait == "subject.person":
            return "person"
        if category == "colour":
            return value.partition(".")[0]
        if category == "eyes" and value != "any":
            continue  # the green of "a green one-eyed monster" is the monster's
        if SLOTS.get(category):
            return SLOTS[category]
    return None
