"""What the lexicon reads in a prompt."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.avatar.options import complain
from services.avatar.prompt import rank_styles
from services.avatar.reading import Reading, read
from services.avatar.styles import load_style
from services.avatar.vocabulary import read_table, vocabulary
from services.avatar.wishes import options_for, tables

PROMPTS = Path("bench/avatar/prompts.toml")
VOCABULARY = sorted(
    {" ".join(phrase) for phrase in vocabulary().phrases} | set(vocabulary().colours["any"]) | {"with", "no", "without", ",", "in", "xyzzy"}
)


def traits(reading: Reading) -> set[str]:
    """What was wished for, without the words."""
    return {trait for trait, _ in reading.wishes}


def test_colour_belongs_to_the_next_thing() -> None:
    """In "curly red hair" the hair is red, and nothing else is."""
    reading = read("a cheerful woman with curly red hair and round glasses")

    assert {"subject.person", "gender.woman", "mood.happy", "hair.curly", "colour.hair.red", "glasses.round"} == traits(reading)
    assert () == reading.ignored


def test_colour_skips_an_adjective_that_has_none() -> None:
    """The green of "a green one-eyed monster" is the monster's, not the eye's."""
    assert {"colour.body.green", "eyes.one", "subject.monster", "extra.horns"} == traits(read("green one-eyed monster with horns"))


@pytest.mark.parametrize(("prompt", "trait"), [
    ("a robot in green", "colour.body.green"),
    ("a woman in black", "colour.clothes.black"),
    ("a black woman", "colour.skin.black"),
    ("a green woman", "colour.clothes.green"),
    ("a man with dark skin", "colour.skin.dark"),
    ("a man with a black beard", "colour.beard.black"),
    ("a fox on a blue background", "colour.background.blue"),
])  # fmt: skip
def test_colour_finds_its_thing(prompt: str, trait: str) -> None:
    """Colours before and after their thing, and the two meanings of a colour before a person."""
    assert trait in traits(read(prompt))


@pytest.mark.parametrize(("prompt", "wishes"), [
    ("homme souriant avec des lunettes", {"subject.person", "gender.man", "mood.happy", "glasses.any"}),
    ("une femme aux cheveux roux et lunettes rondes", {"subject.person", "gender.woman", "colour.hair.red", "glasses.round"}),
    ("ein fröhlicher grüner Roboter mit Antenne", {"subject.robot", "mood.happy", "colour.body.green", "extra.antenna"}),
    ("Frau mit langen blonden Haaren", {"subject.person", "gender.woman", "hair.long", "colour.hair.blonde"}),
])  # fmt: skip
def test_french_and_german_prompts(prompt: str, wishes: set[str]) -> None:
    """The most usual words of two more languages, also with the colour behind its thing."""
    reading = read(prompt)

    assert wishes == traits(reading)
    assert () == reading.ignored


@pytest.mark.parametrize(("prompt", "subject"), [
    ("a grumpy robot with an antenna", "robot"),
    ("pirate robot", "robot"),
    ("a girl with a cat", "person"),
    ("a cat with a girl", "animal"),
    ("curly hair and a beard", "person"),
    ("angry", "emoji"),
    ("xyzzy", None),
])  # fmt: skip
def test_subject_is_the_head_of_the_phrase(prompt: str, subject: str | None) -> None:
    """The last subject before "with" is the picture's; traits alone suggest one; nonsense has none."""
    assert subject == read(prompt).subject


def test_other_subjects_are_ignored_and_said() -> None:
    """The cat of "a girl with a cat" gives the girl no ears, and the result says that it was left out."""
    reading = read("a girl with a cat")

    assert "extra.ears" not in traits(reading)
    assert ("cat",) == reading.ignored


def test_negated_parts_are_not_wished_for() -> None:
    """Saying "no glasses" takes the glasses away and counts as understood."""
    reading = read("a man with no glasses, without a hat")

    assert not any(trait.startswith("glasses") for trait in traits(reading))
    assert "no glasses" in reading.without


def test_bare_long_follows_the_beard() -> None:
    """A "long" means the hair, unless a beard is what comes next."""
    assert "beard.long" in traits(read("a man with a long white beard"))
    assert "hair.long" in traits(read("a man with long hair and a beard"))


def test_unknown_words_are_listed_once() -> None:
    """What the lexicon does not know is said, without the words that carry nothing."""
    assert ("pizza",) == read("a software developer who loves pizza, pizza").ignored


@settings(deadline=None, max_examples=200)  # the first example loads the tables and styles
@given(words=st.lists(st.sampled_from(VOCABULARY), max_size=12), noise=st.text(max_size=20))
def test_any_words_make_valid_options(words: list[str], noise: str) -> None:
    """Whatever the words and their order: reading never fails, and what follows from it is an option of each style it is asked of."""
    reading = read(" ".join([*words, noise]))
    for name in rank_styles(reading, "moods"):
        if name in tables():
            options = options_for(load_style(name), tables()[name], [trait for trait, _ in reading.wishes])

            assert [] == [complaint for option, value in options.items() if (complaint := complain(load_style(name), option, value))]


@pytest.mark.parametrize(("prompt", "wishes"), [
    ("una mujer con pelo rizado rojo y gafas redondas",
     {"subject.person", "gender.woman", "hair.curly", "colour.hair.red", "glasses.round"}),
    ("un monstruo verde de un ojo con cuernos", {"subject.monster", "colour.body.green", "eyes.one", "extra.horns"}),
    ("un hombre barbudo sin gafas", {"subject.person", "gender.man", "beard.any"}),
    ("un gato naranja con corona", {"subject.animal", "extra.ears", "colour.body.orange", "hat.crown"}),
])  # fmt: skip
def test_spanish_prompts(prompt: str, wishes: set[str]) -> None:
    """Spanish too: colours behind their thing, "sin" takes away, gender endings."""
    reading = read(prompt)

    assert wishes == traits(reading)
    assert () == reading.ignored


@pytest.mark.parametrize(("word", "trait"), [
    ("grauem", "colour.body.gray"),
    ("fröhlichem", "mood.happy"),
    ("tristes", "mood.sad"),
    ("cansadas", "mood.sleepy"),
])  # fmt: skip
def test_forms_of_a_word_mean_the_word(word: str, trait: str) -> None:
    """Endings of German adjectives, French and Spanish plurals and genders need no rows of their own."""
    assert trait in traits(read(f"{word} robot"))


def test_a_face_can_be_left_out_and_a_subject_cannot() -> None:
    """What is left out is understood; a negated subject is not pretended to be."""
    assert "extra.faceless" in traits(read("ein Kaktus ohne Gesicht"))
    assert ("no robot",) == read("a woman with no robot").ignored


def test_a_mane_is_no_man() -> None:
    """Endings are only taken off words that describe: a noun would become another one."""
    assert ("mane", "manes") == read("robot with a mane, manes").ignored


def test_the_reviewed_prompts_are_understood() -> None:
    """Of the sixty prompts in four languages that docs/avatars.md shows, one word means nothing here, and one cannot be drawn."""
    prompts = [prompt for language in read_table(PROMPTS).values() for prompt in language]
    ignored = {word for prompt in prompts for word in read(prompt).ignored}

    assert (60, {"indian"}) == (len(prompts), ignored)
