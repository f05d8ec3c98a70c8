"""Every complexion and light prints alike: tones are measured in the face, never against a fixed brightness."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from services.avatar.clock import Clock
from services.avatar.decode import Photo
from services.avatar.faces import find_face
from services.avatar.filters import luminance
from services.avatar.painting import relight
from services.avatar.palettes import PALETTES, of_colours
from services.avatar.portrait import _pose
from services.avatar.prints import PRINTS, Subject

Floats = npt.NDArray[np.float64]
EDGE = 256
SAMPLE = Path("deploy/samples/portrait.jpg")


def backlit(light: Floats) -> Floats:
    """A window behind: everything but the middle is bright, the person stands in the shade."""
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    person = np.hypot((rows - 125) / 190, (columns - 225) / 110) < 1
    return np.where(person[..., None], light * 0.3, 0.55 + light * 0.45)


LIGHTS: dict[str, Callable[[Floats], Floats]] = {
    "dark skin": lambda light: light**1.9 * np.asarray([0.62, 0.5, 0.42]),
    "pale skin": lambda light: light**0.5,
    "underexposed": lambda light: light * 0.25,
    "backlit": backlit,
}


@cache
def subject(light: str | None) -> Subject:
    """The sample portrait in another light, cut out; the face must be found in each."""
    pixels = np.asarray(Image.open(SAMPLE).convert("RGB"), dtype=np.float64) / 255
    changed = pixels if light is None else LIGHTS[light](pixels)
    photo = Photo((changed * 255).round().clip(0, 255).astype(np.uint8), 1.0)
    face = find_face(photo.pixels)
    assert face is not None, light
    return _pose(photo, face, EDGE, Clock())


def in_face(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int_]:
    """The middle of the face."""
    crop = subject(None).crop
    assert crop.face is not None
    left, top, right, bottom = crop.face
    return pixels[top:bottom, left:right].astype(int)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("name", sorted(set(PRINTS) - {"photo"}))
def test_print_keeps_the_face(name: str, light: str) -> None:
    """In every light nearly all of the face keeps its ink, and no face is one ink only."""
    plain, changed = (in_face(PRINTS[name](subject(which), PALETTES[0])) for which in (None, light))
    same = np.abs(plain - changed).max(axis=-1) < 60

    assert same.mean() > 0.8
    assert changed.std(axis=(0, 1)).max() > 25


@pytest.mark.parametrize("light", LIGHTS)
def test_painting_is_given_a_lit_face(light: str) -> None:
    """Before it is painted every face is brought to a light in which its features stand out."""
    tones = luminance(in_face(relight(subject(light))).astype(np.uint8))

    assert 0.3 < float(np.median(tones)) < 0.75
    assert float(np.percentile(tones, 95) - np.percentile(tones, 5)) > 0.3


def test_brand_colours_become_readable_inks() -> None:
    """Two colours of nearly one brightness still print a face: five inks, dark to light, apart from each other."""
    palette = of_colours(["#3d74d6", "#3fa856"])
    tones = [
        float(luminance(np.asarray([[[int(ink[place : place + 2], 16) for place in (1, 3, 5)]]], np.uint8))[0, 0]) for ink in palette.inks
    ]

    assert tones == sorted(tones)
    assert tones[-1] - tones[0] > 0.35
    assert ("#000000", "#ffffff") == (of_colours(["#ffffff", "#000000"]).inks[0], of_colours(["#ffffff", "#000000"]).inks[-1])
