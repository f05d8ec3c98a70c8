"""The style tables against DiceBear's descriptors, and how wishes become options."""

import pytest

from services.avatar.options import complain
from services.avatar.prompt import rank_styles, split
from services.avatar.reading import read
from services.avatar.styles import load_style, style_names
from services.avatar.vocabulary import FOLDER, read_table, vocabulary
from services.avatar.wishes import options_for, tables


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_option_in_a_table_exists(name: str) -> None:
    """No table names an option or a value that its style does not have: DiceBear would leave the part out silently."""
    loaded, table = load_style(name), tables()[name]
    options = [*table.neutral.items(), *(pair for wishes in table.traits.values() for pair in wishes.items())]
    missing = [option for slot in table.colours.values() for option in slot if option not in loaded.descriptor]

    assert [] == [complaint for option, value in options if (complaint := complain(loaded, option, value))]
    assert [] == missing


def test_every_trait_in_a_table_can_be_asked_for() -> None:
    """A trait that no word means would be dead weight, or a typing error."""
    words = {trait for meant in vocabulary().phrases.values() for trait in meant}
    colours = {f"colour.{slot}.{name}" for slot in ("hair", "skin") for name in vocabulary().colours[slot]}

    assert set() == {trait for table in tables().values() for trait in table.traits} - words - colours


def test_subjects_and_looks_name_real_styles() -> None:
    """Every style that a subject or a look prefers exists and has a table."""
    named = {style for styles in [*vocabulary().styles.values(), *vocabulary().looks.values()] for style in styles}

    assert named <= set(style_names())
    assert set() == named - set(tables())


def test_two_wishes_for_one_part_agree() -> None:
    """A "bun" and "curly" leave what is both."""
    options = options_for(load_style("personas"), tables()["personas"], ["hair.bun", "hair.curly"])

    assert ["curlyBun"] == options["hairVariant"]


def test_special_wish_beats_a_broad_one() -> None:
    """Glasses, which personas draws as eyes, stay on a happy face; and a named part is switched on."""
    options = options_for(load_style("avataaars"), tables()["avataaars"], ["glasses.round", "mood.happy", "beard.any", "beard.long"])

    assert ["round"] == options["accessoriesVariant"]
    assert 100 == options["accessoriesProbability"]
    assert ["beardMajestic"] == options["facialHairVariant"]


def test_unasked_parts_are_neutral() -> None:
    """Nobody gets an eyepatch, a beard or a weeping eye for nothing."""
    options = options_for(load_style("avataaars"), tables()["avataaars"], ["subject.person"])

    assert 0 == options["accessoriesProbability"] == options["facialHairProbability"]
    assert ["default"] == options["eyesVariant"]


def test_styles_that_show_all_come_alone() -> None:
    """Only styles that can show a hijab in ink are offered for one; elsewhere it would be missing."""
    assert ["open-peeps"] == rank_styles(read("hand drawn sketch of a woman in a hijab"), "moods")


def test_style_says_what_it_cannot_show() -> None:
    """Micah has no curls: the words are told apart for each picture."""
    drawn, undrawn = split(read("a woman with curly hair and round glasses"), "micah")

    assert ["woman", "round glasses"] == drawn
    assert ["curly hair"] == undrawn


def test_a_cat_without_ears_is_no_cat() -> None:
    """Where a crown takes the ears' place the answer says that the cat does not show; the style that keeps the cat comes first."""
    reading = read("a cat wearing a crown")

    assert (["crown"], ["cat"]) == split(reading, "critters")
    assert (["cat"], ["crown"]) == split(reading, "clay")
    assert ["clay"] == rank_styles(reading, "moods")
    assert (["cat"], []) == split(read("a cat"), "critters")


def test_languages_do_not_contradict_each_other() -> None:
    """A word that two languages share means one thing: German's "kind" is no English kindness."""
    meanings: dict[str, dict[str, set[str]]] = {}
    for path in sorted((FOLDER / "words").glob("*.toml")):
        for category, values in read_table(path).items():
            for value, wordings in values.items():
                for wording in wordings:
                    meanings.setdefault(wording, {}).setdefault(path.stem, set()).add(f"{category}.{value}")
    shared = {word: list(by_language.values()) for word, by_language in meanings.items() if len(by_language) > 1}

    assert {} == {word: different for word, different in shared.items() if any(one != different[0] for one in different)}
