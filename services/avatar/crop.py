"""The square that becomes the avatar: head and shoulders, eyes level; without a face the photo's middle."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.avatar.faces import Face

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

WIDE = 2.9
"""The square's edge in face boxes, where the photo has room: head, neck and shoulders."""
TIGHT = 1.75
"""The least edge: below it hair and chin are cut."""
_FACE_HEIGHT = 0.46
"""Where the face's middle lies in the square, from the top; lower in a tight one, for the hair's sake."""
_LOWER_IF_TIGHT = 0.08
_MOST_TILT = math.radians(35)
"""A head tilted further lies down on purpose."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Square `pixels` (edge, edge, 3), 0 to 255; `valid` (edge, edge), 1.0 where they come from the photo.

    `face` is the box of the face in the crop (left, top, right, bottom, in pixels), None where none was found; `others` are those of other
    people's, which may lie outside.
    """

    pixels: "npt.NDArray[np.uint8]"
    valid: "npt.NDArray[np.float32]"
    face: tuple[int, int, int, int] | None
    others: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def edge(self) -> int:
        """The edge in pixels."""
        return int(self.pixels.shape[0])


def frame(photo: "npt.NDArray[np.uint8]", face: Face | None, edge: int) -> Crop:
    """Cut the square out of `photo` (height, width, 3) and bring it to `edge` pixels."""
    height, width = photo.shape[:2]
    if face is None:
        side = float(min(width, height))
        return _warp(photo, (width / 2, height / 2), side, 0.0, edge, 0.5, None)
    x, y = face.centre
    box = max(face.width, face.height)
    # Beyond the photo's left, right and lower edge a cut-out body would end in a straight line: rather come closer.
    angle = tilt(face)
    turned = math.cos(angle) + abs(math.sin(angle))  # a turned square needs this much more room
    room = min(2 * x, 2 * (width - x), (height - y) / (1 - _FACE_HEIGHT)) / turned
    side = max(TIGHT * box, min(WIDE * box, room))
    down = _FACE_HEIGHT + _LOWER_IF_TIGHT * (WIDE - side / box) / (WIDE - TIGHT)
    half = box / side / 2
    bounds = (0.5 - half, down - half, 0.5 + half, down + half)
    within = (round(bounds[0] * edge), round(bounds[1] * edge), round(bounds[2] * edge), round(bounds[3] * edge))
    crop = _warp(photo, (x, y), side, angle, edge, down, within)
    return replace(crop, others=tuple(_others(face, side / edge, angle, (edge / 2, edge * down))))


def _others(face: Face, step: float, angle: float, centre: tuple[float, float]) -> Iterator[tuple[float, float, float, float]]:
    """The boxes of other faces in the crop: `step` photo pixels a pixel, turned by `angle` about the face, which lies at `centre`."""
    cos, sin = math.cos(angle) / step, math.sin(angle) / step
    for x, y, side in face.others:
        across, down, half = x - face.centre[0], y - face.centre[1], side / step / 2
        u, v = centre[0] + cos * across + sin * down, centre[1] - sin * across + cos * down
        yield u - half, v - half, u + half, v + half


def tilt(face: Face) -> float:
    """How far the line of the eyes is from level, in radians, clockwise; 0.0 beyond 35°."""
    (x, y), (u, v) = face.eyes
    angle = math.atan2(v - y, u - x)
    return angle if abs(angle) <= _MOST_TILT else 0.0


def _warp(
    photo: "npt.NDArray[np.uint8]",
    centre: tuple[float, float],
    side: float,
    angle: float,
    edge: int,
    down: float,
    face: tuple[int, int, int, int] | None,
) -> Crop:
    """Rotate about `centre`, which lands at (0.5, `down`) of the square."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    source = Image.fromarray(photo)
    shrink = min(1.0, edge / side)
    if shrink < 1.0:  # an affine transform takes single samples: reduce first, or fine detail turns to noise
        size = (max(1, round(source.width * shrink)), max(1, round(source.height * shrink)))
        source = source.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    step = side * shrink / edge
    cos, sin = math.cos(angle) * step, math.sin(angle) * step
    x, y = centre[0] * shrink, centre[1] * shrink
    u, v = edge * 0.5, edge * down
    matrix = (cos, -sin, x - cos * u + sin * v, sin, cos, y - sin * u - cos * v)
    crop = source.transform((edge, edge), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    inside = Image.new("L", source.size, 255).transform((edge, edge), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return Crop(np.asarray(crop, dtype=np.uint8), np.asarray(inside, dtype=np.float32) / np.float32(255), face)
