"""What GET /v1/services says of the avatar service."""

import base64
import json
from typing import Any

from services.avatar.catalogue import catalogue
from services.avatar.options import complain
from services.avatar.styles import load_style, style_names

FOUND: dict[str, Any] = json.loads(json.dumps(catalogue()))


def test_every_style_has_licence_options_and_preview() -> None:
    """All 61 illustrated styles and the portrait styles, each with a small WebP; the whole stays below 200 kB."""
    engines = FOUND["engines"]
    styles = [*engines["illustrated"]["styles"], *engines["portrait"]["styles"]]
    pictures = [base64.b64decode(style["preview"].removeprefix("data:image/webp;base64,")) for style in styles]

    assert list(style_names()) == [style["name"] for style in engines["illustrated"]["styles"]]
    assert all(style["licence"] for style in engines["illustrated"]["styles"])
    assert all(style["options"] for style in styles)
    assert all(b"WEBP" == picture[8:12] for picture in pictures)
    assert len(json.dumps(FOUND)) < 200_000


def test_listed_options_are_the_styles() -> None:
    """What the catalogue offers, read without building a style, is what the style takes."""
    for style in FOUND["engines"]["illustrated"]["styles"][:12]:
        loaded = load_style(style["name"])

        assert [] == [complaint for name, values in style["options"].items() if values and (complaint := complain(loaded, name, values))]
