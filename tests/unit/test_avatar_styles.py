"""The lazily loaded styles, their rights, and the derived seeds."""

import json
from importlib.resources import files

import pytest
from dicebear import Avatar, Style

from services.avatar.illustrated import derived_seed
from services.avatar.raster import xmp
from services.avatar.styles import Rights, licences, load_style, require_style, style_names
from shared.errors import PermanentError


def test_unvalidated_style_draws_the_same() -> None:
    """Skipping the schema changes not a byte: the shortcut through the private attribute still holds."""
    raw = files("dicebear_styles").joinpath("rings.json").read_text("utf-8")
    validated = str(Avatar(Style(json.loads(raw)), {"seed": "ada"}))

    assert validated == str(Avatar(load_style("rings").style, {"seed": "ada"}))


@pytest.mark.parametrize("name", style_names())
def test_every_style_draws(name: str) -> None:
    """All styles load and draw, so an unvalidated definition hides nothing."""
    assert "</svg>" in str(Avatar(load_style(name).style, {"seed": "ada", "size": 64}))


def test_unknown_style_names_the_nearest() -> None:
    """A misspelt style is refused for good, with what was probably meant."""
    with pytest.raises(PermanentError, match="avataaars") as caught:
        require_style("avatars")

    assert ("unknown-style", "/style") == (caught.value.type, caught.value.pointer)


def test_rights_say_what_is_owed() -> None:
    """CC BY asks for an attribution, CC0 for none; every style has a licence."""
    rights = licences()

    assert rights["moods"].attribution is None
    assert "Draftbit" in str(rights["personas"].attribution)
    assert len(style_names()) == len([one for one in rights.values() if one.licence])


def test_metadata_is_escaped() -> None:
    """A creator's name cannot break out of the XMP packet."""
    assert b"&lt;script&gt;" in xmp(Rights("CC BY 4.0", "https://example.com/?a&b", "<script>", "by <script>"))


def test_first_variant_is_the_seed_itself() -> None:
    """Asking for more variants never changes the first ones; a random seed changes all."""
    assert "ada" == derived_seed("ada", 0)
    assert derived_seed("ada", 1) not in {"ada", derived_seed("ada", 2), derived_seed("bob", 1), derived_seed("ada", 1, 7)}
    assert derived_seed("ada", 3, 7) == derived_seed("ada", 3, 7)
