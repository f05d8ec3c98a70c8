"""What the service offers, for `GET /v1/services`. No style is built and no model loaded for it."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.avatar.lookalike import LOOKALIKES
from services.avatar.manners import OPTIONS
from services.avatar.model_cards import CARDS
from services.avatar.palettes import PALETTES
from services.avatar.raster import MEDIA_TYPES
from services.avatar.settings import settings
from services.avatar.styles import choices, licences

PREVIEWS = Path(__file__).parent / "previews.json"
"""A small picture of every style as a data URI, drawn by `make avatars`."""
_PACKAGES = ("dicebear-core", "dicebear-styles", "pyvips", "pyvips-binary", "ai-edge-litert", "onnxruntime", "vtracer", "pillow")


def catalogue() -> Mapping[str, Any]:
    """The engines with their styles and licences, the formats and limits, and what draws them: JSON, some 0.1 s once."""
    chosen = settings()
    previews: dict[str, str] = json.loads(PREVIEWS.read_text("utf-8"))
    styles = [
        {
            "name": name,
            "licence": rights.licence,
            "licence_url": rights.licence_url,
            "attribution": rights.attribution,
            "options": choices()[name],
            "preview": previews[name],
        }
        for name, rights in licences().items()
    ]
    return {
        "engines": {
            "illustrated": {"source": "seed", "default_style": chosen.seed_style, "styles": styles},
            "prompt": {"source": "prompt", "default_style": None, "styles": [style["name"] for style in styles]},
            "portrait": {
                "source": "photo",
                "default_style": chosen.portrait_style,
                "styles": [
                    {"name": name, "licence": None, "attribution": None, "options": options, "preview": previews[name]}
                    for name, options in OPTIONS.items()
                ],
                "palettes": [palette.name for palette in PALETTES],
                "accepts": ["image/jpeg", "image/png", "image/webp", "image/heic"],
                "max_bytes": chosen.max_photo_bytes,
                "max_pixels": chosen.max_photo_pixels,
            },
            "lookalike": {"source": "photo", "default_style": None, "styles": list(LOOKALIKES)},
            "diffusion": {"source": "prompt", "default_style": None, "styles": [], "need": "gpu", "models": _models()},
        },
        "formats": MEDIA_TYPES,
        "versions": {package: version(package) for package in _PACKAGES},
    }


def _models() -> list[dict[str, Any]]:
    """What can be pulled by name; which of them a worker has is that worker's own."""
    return [
        {"name": card.name, "title": card.title, "licence": card.licence, "licence_url": card.licence_url, "demands": list(card.demands)}
        for card in CARDS.values()
    ]
