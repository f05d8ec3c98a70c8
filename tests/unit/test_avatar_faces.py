"""Faces: found small and dark, told from what only looks like one, levelled and read by the mesh."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.avatar import faces
from services.avatar.blazeface import Found
from services.avatar.crop import tilt
from services.avatar.faces import Face, find_face
from services.avatar.likeness import mouth_of
from services.avatar.mesh import Lips
from services.avatar.views import Views
from tests.unit.test_avatar_fairness import LIGHTS, Floats

SAMPLE = Path("deploy/samples/portrait.jpg")
MIDDLE = (224, 126)
"""Of the astronaut's face, in pixels."""


@cache
def sample() -> Image.Image:
    """The astronaut, smiling."""
    return Image.open(SAMPLE).convert("RGB")


def found(image: Image.Image, light: Callable[[Floats], Floats] | None = None) -> Face:
    """The face in an image, in another light."""
    pixels = np.asarray(image)
    face = find_face(pixels if light is None else (light(pixels / 255) * 255).round().clip(0, 255).astype(np.uint8))
    assert face is not None
    return face


@pytest.mark.parametrize("size", [40, 80])
def test_a_small_face_in_a_big_photo_is_found(size: int) -> None:
    """1.6 % of the photo's width: too little for the detectors on the whole, found in tiles, where it is."""
    rows, columns = np.ogrid[:1700, :2560]
    waves = (90 + 60 * np.sin(rows / 70) * np.cos(columns / 90)).astype(np.uint8)
    scene = Image.fromarray(np.dstack([waves] * 3))
    small = sample().resize((512 * size // 96, 512 * size // 96), Image.Resampling.LANCZOS)
    scene.paste(small, (1500, 900))
    middle = (1500 + MIDDLE[0] * size / 96, 900 + MIDDLE[1] * size / 96)

    assert math.dist(found(scene).centre, middle) < size / 10
    assert abs(found(scene).width - size) < size / 5


def test_what_only_looks_like_a_face_is_none() -> None:
    """The mesh has the last word: a helmet that a detector would take for a face is none; a face is."""
    views = Views(np.asarray(sample()))
    eyes = ((330.0, 400.0), (370.0, 400.0))

    assert faces._first_sure([Found(300, 370, 100, 100, 0.95, eyes)], views) is None
    assert faces._first_sure([Found(175, 75, 100, 100, 0.95, ((203.0, 110.0), (243.0, 112.0)))], views) is not None


def test_a_doubtful_large_face_is_looked_at_close_up() -> None:
    """A crowd may look like one large face: what is taken is the face that is really there."""
    face = faces._first_sure([Found(75, -20, 300, 300, 0.55, ((190.0, 110.0), (260.0, 110.0)))], Views(np.asarray(sample())))

    assert face is not None
    assert 85 < face.width < 105


@pytest.mark.parametrize("light", LIGHTS)
def test_tilt_and_size_are_true_in_any_light(light: str) -> None:
    """Turned by up to 25°, in four lights: level within a degree, the face's box within 5 %. The detector alone is off by up to 5°."""
    upright = found(sample())
    turned = {
        angle: found(sample().rotate(-angle, Image.Resampling.BICUBIC, center=MIDDLE), LIGHTS[light] if light != "backlit" else None)
        for angle in (-25, -10, 10, 25)
    }
    off = {angle: abs(math.degrees(tilt(face) - tilt(upright)) - angle) for angle, face in turned.items()}

    assert max(off.values()) < 1, off
    assert all(abs(face.width / upright.width - 1) < 0.05 for face in turned.values())
    assert {"smiling"} == {mouth_of(face.lips) for face in turned.values()}


def with_mouth(bend: float, gape: float) -> Image.Image:
    """The astronaut with the corners of her mouth pulled down, or her lips pulled apart, by so many pixels."""
    pixels = np.asarray(sample())
    rows, columns = np.mgrid[:512, :512].astype(float)
    across, down = (columns - 225) / 16, rows - 151
    bent = bend * (across**2 - 0.3) * np.exp(-((across / 1.6) ** 4) - (down / 22) ** 4)
    apart = gape * np.clip(down / 4, -1, 1) * np.exp(-((across / 1.2) ** 4) - (down / 26) ** 4)
    return Image.fromarray(pixels[np.clip((rows - bent - apart).round().astype(int), 0, 511), columns.astype(int)])


@pytest.mark.parametrize(("bend", "gape", "expected"), [(0, 0, "smiling"), (12, 0, "closed"), (4, 9, "open")])
def test_a_mouth_is_read_by_its_shape(bend: float, gape: float, expected: str) -> None:
    """White teeth make no smile: they show in all three."""
    assert expected == mouth_of(found(with_mouth(bend, gape)).lips)


def test_mouths_of_eight_portraits() -> None:
    """As measured on real faces: a speaker's open mouth is no smile, a broad smile is no open mouth, a narrow smirk is a smile."""
    speaking, laughing, smirking, serious = (
        Lips(*shape) for shape in ((0.52, 0.08, 0.62), (0.28, 0.09, 0.82), (0.03, 0.14, 0.56), (0.12, -0.04, 0.67))
    )

    assert ["open", "smiling", "smiling", "closed"] == [mouth_of(lips) for lips in (speaking, laughing, smirking, serious)]
    assert mouth_of(None) is None
