"""What results stored of illustrated avatars, and the digest of what it drew then: tests/contract/drawings.json, for every style.

`python -m tests.contract.drawings` writes it anew. Only for a release of DiceBear that draws a style otherwise, and then CHANGELOG.md says
which: whoever stored the options of such a style gets another picture for them.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.avatar.replay import draw
from services.avatar.styles import load_style, style_names

PAGE = Path(__file__).with_suffix(".json")
SEED, EDGE = "ada", 256


def digest(name: str, options: dict[str, Any]) -> str:
    """SHA-256 of the SVG that a style draws from these options."""
    svg, _ = draw(load_style(name), SEED, EDGE, options)
    return hashlib.sha256(svg.encode()).hexdigest()


def stored() -> dict[str, Any]:
    """The file."""
    kept: dict[str, Any] = json.loads(PAGE.read_text(encoding="utf-8"))
    return kept


def main() -> None:
    """Draw every style from a seed, and keep what was resolved."""
    drawings = {}
    for name in style_names():
        _, options = draw(load_style(name), SEED, EDGE, {})
        drawings[name] = {"options": options, "sha256": digest(name, options)}
    kept = {"dicebear-core": version("dicebear-core"), "seed": SEED, "size": EDGE, "drawings": drawings}
    PAGE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
