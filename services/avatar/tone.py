"""Light and dark relative to the face: percentiles measured in it, so that every skin keeps its modelling.

A fixed luminance threshold turns dark faces black and pale ones white. Here the scale's zero and one, and the steps between
them, are where this face's own shadows and lights are.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from services.avatar.crop import Crop
from services.avatar.filters import guided, luminance, resize

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

PERCENTILES = (6.0, 26.0, 55.0, 84.0)
"""Of the face's luminance: below the first are pupils, brows and lips' shadow; above the last the lights."""
_LEAST_STEP = 0.035
"""Two thresholds closer than this (in tone) would print noise: an evenly lit face is drawn in fewer tones."""

_LEAST_SPAN = 0.04
"""A face with less contrast than this is a flat surface; stretching it further would print the sensor's noise."""
_SMOOTH_EDGE = 512
"""Smoothing happens at this edge, whatever the picture's: hair and cloth become areas, and a large print costs no more."""


FACE_SPAN = 0.5
"""The luminance that a well-lit face spans. Every face is brought to it before anything is smoothed, or a dim one would lose its eyes."""


@dataclass(frozen=True, slots=True)
class Tones:
    """`plane` is the smoothed tone (edge, edge); `thresholds` ascend and split it into one tone more than they are.

    Tones are luminances relative to the face: 0.0 is its darkest part, 0.5 (`FACE_SPAN`) its lightest.
    """

    plane: "Plane"
    thresholds: tuple[float, ...]
    darkest: float
    span: float

    def relative(self, light: "Plane") -> "Plane":
        """A luminance as a tone of this face."""
        tone: Plane = (light - self.darkest) * (FACE_SPAN / self.span)
        return tone


def measure(crop: Crop, matte: "Plane") -> Tones:
    """The crop's tones, split where its face says (where there is none: its middle)."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    edge = min(crop.edge, _SMOOTH_EDGE)
    light = luminance(np.asarray(Image.fromarray(crop.pixels).resize((edge, edge), Image.Resampling.BOX)))
    face = _ellipse(crop, edge) & (resize(matte, edge) > 0.5)  # noqa: PLR2004 - more person than not
    face = face if face.any() else np.ones_like(face)
    darkest, lightest = (float(value) for value in np.percentile(light[face], (2, 98)))
    tones = Tones(light, (), darkest, max(lightest - darkest, _LEAST_SPAN))
    plane = tones.relative(light)
    for radius, softness in ((2, 0.1), (5, 0.045)):
        plane = guided(plane, plane, radius, softness)
    values = [float(value) for value in np.percentile(plane[face], PERCENTILES)]
    return replace(tones, plane=resize(plane, crop.edge), thresholds=spread(values))


def spread(values: list[float]) -> tuple[float, ...]:
    """The thresholds with at least a visible step between neighbours, moved apart from their common middle."""
    middle = values[len(values) // 2]
    steps = [max(later - earlier, _LEAST_STEP) for earlier, later in pairwise(values)]
    start = values[0] if sum(steps) == values[-1] - values[0] else middle - sum(steps[: len(values) // 2])
    result = [start]
    for step in steps:
        result.append(result[-1] + step)
    return tuple(result)


def stretch(plane: "Plane", tones: Tones) -> "Plane":
    """`plane` (tones) as a ramp, 0 to 1: linear between the thresholds, which become evenly spaced."""
    import numpy as np  # noqa: PLC0415 - heavy

    low, *_, high = tones.thresholds
    margin = (high - low) * 0.5
    places = [low - margin, *tones.thresholds, high + margin]
    levels = np.linspace(0, 1, len(places))
    stretched: Plane = np.interp(plane, places, levels).astype(np.float32)
    return stretched


def _ellipse(crop: Crop, edge: int) -> "npt.NDArray[np.bool_]":
    """The face's ellipse at `edge` pixels, a little inside its box: no hair, no background."""
    import numpy as np  # noqa: PLC0415 - heavy

    box = crop.face or (crop.edge // 4, crop.edge // 4, 3 * crop.edge // 4, 3 * crop.edge // 4)
    left, top, right, bottom = (place * edge / crop.edge for place in box)
    rows, columns = np.ogrid[:edge, :edge]
    x, y = (left + right) / 2, (top + bottom) / 2
    inside: npt.NDArray[np.bool_] = ((columns - x) / (0.45 * (right - left))) ** 2 + ((rows - y) / (0.5 * (bottom - top))) ** 2 <= 1
    return inside
