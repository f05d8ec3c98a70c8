"""Which part of a matte is the person that the photo is of, where others stand close.

The segmentation knows people, not persons. So each face sends out a front over the matte (Dijkstra), and a place belongs to the face that
reaches it first. Steps over an edge in the photo are long, so that fronts meet there; whoever is in front owns the body below their chin.
Who shows no face is told by the shape alone. Measured on 120 composed pairs: of whoever stood behind, 10 % stay in the picture instead of
77 %; of the person, 1.7 % are lost instead of 0.9 %.
"""

import heapq
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.avatar.crop import Crop
from services.avatar.filters import box

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

EDGE = 96
"""Fronts run on a grid of so many cells each way, in 40 ms."""
_CONTRAST = 40.0
"""How much longer a step is over a difference of 1.0 in colour (RGB, 0 to 1)."""
_HASTE = 0.7
"""The others' steps are shorter: less is sown of them, for of who stands behind only the face is sure to be seen."""
_THICK = 5
"""Cells on each side: what is thinner than eleven, an ear or a brim, does not count as hanging together."""
_OWN, _OTHER = 1, 2
_STEPS = tuple((down, across, math.hypot(down, across)) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across)


def own_part(mask: "Plane", crop: Crop) -> "Plane":
    """1.0 where a coarse mask (EDGE, EDGE) is not somebody else's, else 0.0."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    allowed = mask > 0.5  # noqa: PLR2004 - more person than not
    strangers = _strangers(allowed, crop)
    if not crop.others and not strangers.any():
        return np.ones((EDGE, EDGE), dtype=np.float32)
    small = np.asarray(Image.fromarray(crop.pixels).resize((EDGE, EDGE), Image.Resampling.BOX), dtype=np.float32) / np.float32(255)
    owners = np.where(strangers, _OTHER, 0).astype(np.int8)
    for place in _seen_of_others(crop):
        owners[_cells(crop, place)] = _OTHER
    owners[_own(crop)] = _OWN
    owners[~allowed] = 0
    part: Plane = (_spread(owners, allowed, small) != _OTHER).astype(np.float32)
    return part


def _strangers(allowed: "Mask", crop: Crop) -> "Mask":
    """Who shows no face: what comes in from the side at the height of the head, and hangs together with the person by something thin."""
    import numpy as np  # noqa: PLC0415 - heavy

    thick = box(allowed.astype(np.float32), _THICK) > 0.99  # noqa: PLR2004 - all of it
    bottom = (crop.face or (0, 0, 0, crop.edge))[3] * EDGE // crop.edge
    sides = np.zeros_like(thick)
    sides[:bottom, (0, -1)] = True
    if not (thick & sides).any():
        return sides & ~sides
    return flood(sides, thick & ~flood(_own(crop), thick))


def flood(seeds: "Mask", allowed: "Mask") -> "Mask":
    """What of `allowed` hangs together with `seeds`, side by side."""
    reached = seeds & allowed
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= allowed
        if grown.sum() == reached.sum():
            return reached
        reached = grown


def _own(crop: Crop) -> "Mask":
    """What is surely the person's."""
    own = _head(crop)
    for place in _body(crop):
        own[_cells(crop, place)] = True
    return own


def _head(crop: Crop) -> "Mask":
    """The own face with the hair around it, but not all that hair may take: an ellipse 1.3 faces wide and 1.8 high."""
    import numpy as np  # noqa: PLC0415 - heavy

    left, top, right, bottom = (place * EDGE / crop.edge for place in crop.face or (0, 0, crop.edge, crop.edge))
    width, rows, columns = right - left, *np.ogrid[:EDGE, :EDGE]
    x, y = (left + right) / 2, (top + bottom) / 2
    inside: Mask = ((columns + 0.5 - x) / (0.65 * width)) ** 2 + ((rows + 0.5 - y) / (0.9 * width)) ** 2 <= 1
    return inside


def _body(crop: Crop) -> Iterator[tuple[float, float, float, float]]:
    """Below the own chin: as wide as a neck, and further down as wide as shoulders."""
    left, _, right, bottom = crop.face or (0, 0, crop.edge, crop.edge)
    width, middle = right - left, (left + right) / 2
    yield middle - 0.45 * width, bottom, middle + 0.45 * width, crop.edge
    yield middle - 0.9 * width, bottom + 0.75 * width, middle + 0.9 * width, crop.edge


def _seen_of_others(crop: Crop) -> Iterator[tuple[float, float, float, float]]:
    """The middle of their faces, and their necks: the sides may be behind the person's hair."""
    for left, top, right, bottom in crop.others:
        width, height = right - left, bottom - top
        yield left + 0.25 * width, top - 0.1 * height, right - 0.25 * width, bottom
        yield left + 0.3 * width, bottom, right - 0.3 * width, bottom + 0.35 * height


def _cells(crop: Crop, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    left, top, right, bottom = (place * EDGE / crop.edge for place in box)
    return slice(max(0, int(top)), max(0, math.ceil(bottom))), slice(max(0, int(left)), max(0, math.ceil(right)))


def _spread(owners: "npt.NDArray[np.int8]", allowed: "Mask", colours: "Plane") -> "npt.NDArray[np.int8]":
    """The owner of each allowed cell: of the seed that is nearest by the length of the way."""
    import numpy as np  # noqa: PLC0415 - heavy

    owner, free, colour = (
        owners.tolist(),
        allowed.tolist(),
        colours.tolist(),
    )  # plain lists: single cells of an array cost ten times as much
    far = np.where(owners > 0, 0.0, np.inf).tolist()
    front = [(0.0, int(row), int(column)) for row, column in zip(*np.nonzero(owners), strict=True)]
    while front:
        length, row, column = heapq.heappop(front)
        if length > far[row][column]:
            continue
        mine, here = owner[row][column], colour[row][column]
        haste = _HASTE if mine == _OTHER else 1.0
        for down, across, step in _STEPS:
            y, x = row + down, column + across
            if not (0 <= y < EDGE and 0 <= x < EDGE and free[y][x]):
                continue
            reached = length + haste * step * (1 + _CONTRAST * math.dist(here, colour[y][x]))
            if reached < far[y][x]:
                far[y][x], owner[y][x] = reached, mine
                heapq.heappush(front, (reached, y, x))
    return np.asarray(owner, dtype=np.int8)
