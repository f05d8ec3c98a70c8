"""Tones are measured in the face: the same face prints the same in light and in shade."""

import numpy as np
import numpy.typing as npt

from services.avatar.crop import Crop, frame, tilt
from services.avatar.faces import Face
from services.avatar.palettes import PALETTES
from services.avatar.prints import PRINTS, Subject, lay
from services.avatar.tone import measure, spread

EDGE = 96


def modelled(brightness: float) -> Crop:
    """A ball lit from the upper left, as the face."""
    rows, columns = np.mgrid[:EDGE, :EDGE] / EDGE
    light = 1 - np.hypot(rows - 0.3, columns - 0.3)
    grey = (light.clip(0, 1) * brightness * 255).astype(np.uint8)
    return Crop(np.dstack([grey] * 3), np.ones((EDGE, EDGE), dtype=np.float32), (16, 16, 80, 80))


def shares(crop: Crop) -> npt.NDArray[np.float64]:
    """How much of the face each of the five inks covers."""
    matte = np.ones((EDGE, EDGE), dtype=np.float32)
    tones = measure(crop, matte)
    painted = PRINTS["poster"](Subject(crop, matte, matte, tones), PALETTES[0])[20:76, 20:76]
    inks = [tuple(int(ink[place : place + 2], 16) for place in (1, 3, 5)) for ink in PALETTES[0].inks]
    return np.asarray([(painted == ink).all(axis=-1).mean() for ink in inks])


def test_dark_and_light_faces_print_alike() -> None:
    """At a third of the light the inks cover the same parts: no fixed threshold turns a dark face black."""
    light, dark = shares(modelled(1.0)), shares(modelled(0.33))

    assert (light > 0.01).all()
    assert np.abs(light - dark).max() < 0.1


def test_flat_faces_do_not_print_noise() -> None:
    """Thresholds keep a visible distance, however even the light."""
    thresholds = spread([0.500, 0.501, 0.502, 0.503])

    assert min(np.diff(thresholds)) > 0.03
    assert thresholds[0] < 0.5 < thresholds[-1]


def test_wide_thresholds_stay_as_measured() -> None:
    """Where the face has contrast, its own percentiles are the thresholds."""
    assert np.allclose([0.1, 0.3, 0.6, 0.9], spread([0.1, 0.3, 0.6, 0.9]))


def test_transparent_ground_keeps_the_matte() -> None:
    """Asked for transparency, the matte becomes the alpha channel."""
    painted = np.zeros((4, 4, 3), dtype=np.uint8)
    matte = np.eye(4, dtype=np.float32)

    assert (np.eye(4, dtype=np.uint8) * 255 == lay(painted, matte, "transparent")[..., 3]).all()
    assert (4, 4, 3) == lay(painted, matte, "#ffffff").shape


def at(x: float, y: float, lean: float = 0.0) -> Face:
    """A face of 40 pixels, whose left eye is `lean` pixels lower than the right one."""
    return Face(x - 20, y - 20, 40, 40, 0.9, ((x - 8, y - 5), (x + 8, y - 5 + lean)))


def test_crop_follows_the_face() -> None:
    """The face's middle is in the middle across, a little above it down, wherever it was in the photo."""
    photo = np.zeros((400, 600, 3), dtype=np.uint8)
    photo[140:160, 190:210] = 255
    crop = frame(photo, at(200, 150), 128)
    rows, columns = np.nonzero(crop.pixels[..., 0] > 128)

    assert abs(columns.mean() - 64) < 2
    assert abs(rows.mean() - 128 * 0.46) < 2
    assert crop.valid.min() > 0.99


def test_crop_stays_inside_where_it_can() -> None:
    """Near the photo's edge the square comes closer instead of showing where the photo ends."""
    photo = np.full((400, 600, 3), 200, dtype=np.uint8)

    assert frame(photo, at(45, 200), 128).valid[:, 4:-4].min() > 0.9


def test_no_face_takes_the_middle() -> None:
    """Without a face the crop is the centred square."""
    photo = np.zeros((100, 300, 3), dtype=np.uint8)
    photo[:, 100:200] = 255
    crop = frame(photo, None, 64)

    assert crop.face is None
    assert (crop.pixels[4:-4, 4:-4] == 255).all()


def test_tilt_is_levelled_up_to_a_limit() -> None:
    """A leaning head is turned level, a lying one left alone."""
    assert 0.2 < tilt(at(100, 100, lean=4)) < 0.3
    assert 0.0 == tilt(at(100, 100, lean=30))
