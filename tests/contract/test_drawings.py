"""An avatar whose options somebody stored is drawn again by a later release, byte for byte."""

import pytest

from services.avatar.styles import style_names
from tests.contract.drawings import digest, stored

DRAWINGS = stored()["drawings"]


def test_every_style_has_a_stored_drawing() -> None:
    """A style that is gone would leave stored avatars without a picture; a new one comes with its drawing."""
    assert {*style_names()} == {*DRAWINGS}


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_stored_options_draw_what_they_drew(name: str) -> None:
    """The same SVG to the byte as when the options were stored, whatever was upgraded since."""
    assert DRAWINGS[name]["sha256"] == digest(name, DRAWINGS[name]["options"])
