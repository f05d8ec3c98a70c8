"""Stored options draw the same picture again, can be edited one by one, and are checked one by one."""

import pytest

from services.avatar.illustrated import checked
from services.avatar.raster import RenderError
from services.avatar.replay import draw, split
from services.avatar.styles import load_style, style_names
from shared.errors import PermanentError


@pytest.mark.parametrize("name", style_names())
def test_stored_options_draw_the_same_bytes(name: str) -> None:
    """Every style: what was resolved is all exact, and drawn again it gives the same SVG and resolves to the same."""
    loaded = load_style(name)
    for seed in ("ada", "Zoë", "x4"):
        svg, resolved = draw(loaded, seed, 64, {})

        assert ({}, resolved) == split(loaded, resolved)
        assert (svg, resolved) == draw(loaded, seed, 64, resolved)


@pytest.mark.parametrize("name", ["avataaars", "moods", "shapes", "constellation", "rings"])
def test_stored_options_owe_nothing_to_the_seed(name: str) -> None:
    """Seeds pick differently after an upgrade: stored options draw the same parts under any seed, only internal ids differ."""
    loaded = load_style(name)
    _, resolved = draw(loaded, "ada", 64, {})

    assert resolved == draw(loaded, "somebody else", 64, resolved)[1]


def test_one_option_changes_and_nothing_else() -> None:
    """An edit is one option: the hair goes, everything else stays."""
    loaded = load_style("avataaars")
    _, before = draw(loaded, "ada", 64, {})
    _, after = draw(loaded, "ada", 64, {**before, "topVariant": None})

    assert before["topVariant"] is not None
    assert {name: value for name, value in before.items() if not name.startswith(("top", "hair"))} == {
        name: value for name, value in after.items() if not name.startswith(("top", "hair"))
    }


@pytest.mark.parametrize(("option", "value"), [
    ("hairVariant", ["mohican"]),
    ("hairVariant", "mohican"),
    ("hairVariant", []),
    ("wingsVariant", ["small"]),
    ("hairColor", ["red"]),
    ("hairColor", ["ff0000", "blue"]),
    ("hairColor", "red"),
    ("hairColorFill", "plaid"),
    ("facialHairProbability", 101),
    ("hairRotate", 361),
    ("hairScale", float("nan")),
    ("hairTranslateX", "1"),
    ("flip", "sideways"),
    ("fontFamily", "'/><script>"),
    ("seed", "bob"),
    ("title", "<b>"),
])  # fmt: skip
def test_wrong_options_are_refused(option: str, value: object) -> None:
    """An unknown option, variant, colour or an impossible number is an error, not a missing part; a user's names the option."""
    with pytest.raises(RenderError, match="personas"):
        split(load_style("personas"), {option: value})
    with pytest.raises(PermanentError, match="personas") as caught:
        checked(load_style("personas"), {option: value})

    assert ("invalid-style-option", f"/style_options/{option}") == (caught.value.type, caught.value.pointer)


def test_choices_are_the_seeds() -> None:
    """Of a list of variants the seed picks one; a single colour is exact."""
    loaded = load_style("personas")
    options = {"hairVariant": ["long", "curly"], "hairColor": ["C0FFEE"]}

    assert ({"hairVariant": ["long", "curly"]}, {"hairColor": ["#c0ffee"]}) == split(loaded, options)
    assert draw(loaded, "ada", 64, options)[1]["hairVariant"] in options["hairVariant"]
