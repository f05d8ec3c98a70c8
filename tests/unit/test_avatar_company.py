"""Somebody who stands close behind does not stay in the picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from services.avatar.company import EDGE as EDGES
from services.avatar.company import own_part
from services.avatar.crop import Crop, frame
from services.avatar.faces import find_face
from services.avatar.matte import cut_out

SAMPLE = Path("deploy/samples/portrait.jpg")
EDGE, MARGIN = 384, 160
SIZE = (EDGE + 2 * MARGIN, EDGE + MARGIN)


def placed(picture: Image.Image, right: int, down: int) -> Image.Image:
    """A picture (or a mask of its size) on an empty canvas."""
    canvas = Image.new(picture.mode, SIZE)
    canvas.paste(picture, (MARGIN + right, MARGIN + down))
    return canvas


@pytest.mark.parametrize(("right", "down"), [(150, -30), (-190, 0)])
def test_who_stands_behind_is_left_out(right: int, down: int) -> None:
    """Of a second astronaut behind the first one's shoulder a quarter stays at most; the first one stays whole, hair and all."""
    photo = np.asarray(Image.open(SAMPLE).convert("RGB"))
    alone = frame(photo, find_face(photo), EDGE)
    picture, outline = Image.fromarray(alone.pixels), Image.fromarray((cut_out(alone) * 255).astype(np.uint8))
    other = ImageOps.mirror(Image.fromarray((alone.pixels * 0.8).astype(np.uint8)))
    front, back = placed(outline, 0, 0), placed(ImageOps.mirror(outline), right, down)
    scene = Image.new("RGB", SIZE, "#a0a890")
    scene.paste(placed(other, right, down), mask=back)
    scene.paste(placed(picture, 0, 0), mask=front)
    face = find_face(np.asarray(scene))
    assert face is not None
    assert 1 == len(face.others)

    def seen(plane: Image.Image) -> npt.NDArray[np.float64]:
        return frame(np.dstack([np.asarray(plane)] * 3), face, EDGE).pixels[..., 0] / 255

    own, theirs = seen(front), seen(back) * (1 - seen(front))
    crop = frame(np.asarray(scene), face, EDGE)
    matte, crowd = cut_out(crop), cut_out(replace(crop, others=()))

    assert float((crowd * theirs).sum() / theirs.sum()) > 0.5
    assert float((matte * theirs).sum() / theirs.sum()) < 0.25
    assert float((matte * own).sum() / own.sum()) > 0.95


def test_who_shows_no_face_goes_and_hats_stay() -> None:
    """What comes in from the side and touches by something thin is somebody else's; a brim, long hair and an elbow at the side are not."""
    rows, columns = np.mgrid[:EDGES, :EDGES]
    person = (np.hypot((rows - 44) / 26, (columns - 48) / 18) < 1) | (np.hypot((rows - 110) / 45, (columns - 48) / 46) < 1)
    brim = (abs(rows - 24) < 3) & (abs(columns - 48) < 46)
    hair = (abs(rows - 60) < 34) & (abs(columns - 48) < 26)
    elbow = (rows > 75) & (columns > 80)
    stranger = (columns > 74) & (abs(rows - 40) < 14)
    touch = (abs(rows - 40) < 3) & (columns > 60)
    crop = Crop(np.full((192, 192, 3), 128, dtype=np.uint8), np.ones((192, 192), dtype=np.float32), (66, 58, 126, 118))

    def kept(mask: npt.NDArray[np.bool_], part: npt.NDArray[np.bool_]) -> float:
        return float(own_part(mask.astype(np.float32), crop)[part].mean())

    for own in (person | brim, person | hair, person | elbow):
        assert 1.0 == kept(own, own)
    assert kept(person | touch | stranger, stranger) < 0.1
    assert kept(person | touch | stranger, person & ~stranger & ~touch) > 0.97
