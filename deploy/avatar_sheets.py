"""`make avatars`: the contact sheets of docs/avatars.md and the catalogue's previews, drawn by the service itself."""

import base64
import json
import tomllib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from PIL import Image

from services.avatar.catalogue import PREVIEWS
from services.avatar.engines import plan
from services.avatar.lookalike import LOOKALIKES
from services.avatar.painting import PAINTINGS
from services.avatar.prints import PRINT_NAMES
from services.avatar.settings import settings
from services.avatar.styles import style_names
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar

PICTURES = Path("docs/pictures")
PHOTO = Path("deploy/samples/portrait.jpg")
UPLOAD = "upl_0123456789abcdef"
TILE = 128
COLUMNS = 8
PREVIEW = 48


def avatar(**wishes: object) -> Image.Image:
    """One avatar as the service draws it."""
    command = GenerateAvatar.model_validate({"size": TILE * 2, **wishes})
    picture = plan(command, Workshop(settings(), files={UPLOAD: PHOTO})).drafts[0].draw()
    image = Image.open(BytesIO(picture.file(TILE * 2, "png"))).convert("RGB")
    return image.resize((TILE, TILE), Image.Resampling.LANCZOS)


def sheet(name: str, pictures: Iterable[Image.Image]) -> None:
    """Lay them out, left to right, and write a WebP of some 100 kB."""
    tiles = list(pictures)
    rows = -(-len(tiles) // COLUMNS)
    paper = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for number, tile in enumerate(tiles):
        paper.paste(tile, (number % COLUMNS * TILE, number // COLUMNS * TILE))
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.webp"
    paper.save(path, "WEBP", quality=82, method=6)
    print(f"{path}: {path.stat().st_size:,} bytes, {len(tiles)} avatars")


def preview(tile: Image.Image) -> str:
    """Some 700 bytes as a data URI."""
    buffer = BytesIO()
    tile.resize((PREVIEW, PREVIEW), Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=60, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def main() -> int:
    """Draw all sheets, then write the previews."""
    prompts = [prompt for language in tomllib.loads(Path("bench/avatar/prompts.toml").read_text("utf-8")).values() for prompt in language]
    illustrated = {name: avatar(seed="Ada Lovelace", style=name) for name in style_names()}
    prints = {name: avatar(photo=UPLOAD, style=name) for name in PRINT_NAMES}
    paintings = {name: avatar(photo=UPLOAD, style="painting", style_options={"painting": name}) for name in PAINTINGS}
    sheet("illustrated", illustrated.values())
    sheet("prompts", (avatar(prompt=prompt) for prompt in prompts))
    sheet("portraits", [*prints.values(), *paintings.values()])
    sheet("lookalikes", (avatar(photo=UPLOAD, style=name) for name in LOOKALIKES))
    drawn = {**illustrated, **prints, "painting": next(iter(paintings.values()))}
    PREVIEWS.write_text(json.dumps({name: preview(tile) for name, tile in drawn.items()}, indent=1) + "\n", "utf-8")
    print(f"{PREVIEWS}: {PREVIEWS.stat().st_size:,} bytes, {len(drawn)} styles")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
