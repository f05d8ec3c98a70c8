"""Variables that are nothing but names read as the engine would write them, and what is more than that is the engine's."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.mailer.names import speller
from services.mailer.templates import MailTemplate, RenderError, renderer

VALUES = st.one_of(st.text(max_size=20), st.sampled_from(["<a href='x'>\"&amp;/</a>", "&#x2f;", "", "é/ж"]), st.integers())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "_c1", "range", "loop_"]), VALUES), st.booleans())
@example({"a": (1 << 63) - 1, "b": -(1 << 63) + 1, "_c1": "'", "range": "r", "loop_": ""}, True)
def test_names_are_spelled_as_the_engine_writes_them(values: dict[str, Any], escape: bool) -> None:
    """Text and whole numbers, escaped for HTML or not; where the engine would complain it is asked."""
    names = ["a", "b", "_c1", "range", "loop_"]
    spell = speller(names, escape=escape)
    assert spell is not None
    found = spell(values)

    if found is None:
        assert set(names) - set(values) or any(isinstance(value, int) and abs(value) >= 1 << 63 for value in values.values())
    else:
        assert found == [renderer(f"{{{{ {name} }}}}", escape=escape)(values) for name in names]


@pytest.mark.parametrize("value", [None, True, 1.5, ["x"], {"y": 1}, 1 << 63], ids=str)
def test_other_values_are_the_engines(value: object) -> None:
    """It has ways of its own to write them."""
    spell = speller(["a"], escape=False)

    assert spell is not None
    assert spell({"a": value}) is None


@pytest.mark.parametrize("expression", ["a.b", "a | upper", "a + 1", "'a'", "1", "true", "none", "self", "loop", "ä", ""])
def test_more_than_a_name_is_the_engines(expression: str) -> None:
    """Among names, too: all of a text is spelled, or none of it."""
    assert speller(["name", expression], escape=True) is None


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("{{ name }}: {{ number }} of {{ number }}", "A <b> & Ω: 7 of 7"),
        ("{{ name | upper }}, {{ number }}", "A <B> & Ω, 7"),
        ("{{ number }}", "7"),
        ("Hello", "Hello"),
        ("{% if number %}{{ name }}{% endif %}", "A <b> & Ω"),
        ("{{ long }}{{ name }}", "x" * 2_000 + "A <b> & Ω"),
        ("{{ yes }}", "True"),
    ],
)
def test_a_subject_reads_alike_either_way(subject: str, said: str) -> None:
    """Nothing is escaped in a header."""
    values = {"name": "A <b> & Ω", "number": 7, "long": "x" * 2_000, "yes": True}

    assert MailTemplate(subject=subject, html=None, text="t", list_unsubscribe=None).fill(values).subject == said


def test_what_is_missing_is_said_by_the_engine() -> None:
    """With the part and the line."""
    made = MailTemplate(subject="Dear {{ name }}", html=None, text="t", list_unsubscribe=None)

    with pytest.raises(RenderError, match="subject: line 1"):
        made.fill({"nome": "Ada"})
