"""Finds the face that a photo is of: detectors on the whole photo, then on tiles for faces that are small in it, then the mesh."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from services.avatar import blazeface, mesh
from services.avatar.blazeface import FULL_RANGE, SHORT_RANGE, Found, detect
from services.avatar.inference import Model, load_model
from services.avatar.mesh import Lips
from services.avatar.views import Views

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TILES = (3, 5)
"""Tiles along the longer edge, tried in this order: with 3 faces of an eighth of a tile are found, with 5 those of 36 pixels in 2,560."""
_OVERLAP = 0.25
_SURE = 0.6
"""The mesh's score of a face; what the detectors took for one on tiles without any got 0.0 to 0.4, every real one over 0.98."""
_NEARLY_SURE = 0.8
"""A detector's score on the whole photo that counts without the mesh's word: masks and profiles."""
_LOOKED_AT = 6
_NEIGHBOURHOOD = 5.0
"""How far around a face others are looked for, in its widths: the picture's edge is 2.9 at most, and a face at its edge counts, too."""
_FACE_HEIGHTS = 0.89
"""The detectors' box in heights of the mesh, which reaches from the hair to the chin, and how far lower it lies."""
_LOWER = 0.03


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a photo, in its pixels: box from eyebrows to chin, the eyes, the person's right one first; `lips` where they are sure.

    `others` are other people's faces close by: middle (x, y) and side of the box.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]]
    lips: Lips | None = None
    others: tuple[tuple[float, float, float], ...] = ()

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.left + self.width / 2, self.top + self.height / 2


def find_face(pixels: "npt.NDArray[np.uint8]") -> Face | None:
    """The face that the photo is of, or None. With several, large, sure and central ones go first."""
    views = Views(pixels)
    face = _find(views)
    return face and replace(face, others=tuple(_others(face, views)))


def _find(views: Views) -> Face | None:
    whole = (0.0, 0.0, float(max(views.size)))
    found = _ranked([*detect(views, whole, FULL_RANGE), *detect(views, whole, SHORT_RANGE)], views)
    if (face := _first_sure(found, views)) is not None:
        return face
    if found and found[0].score >= _NEARLY_SURE:
        return _as_detected(found[0], views)
    for along in TILES:
        tiled = [face for window in _tiles(*views.size, along) for face in detect(views, window, FULL_RANGE)]
        if (face := _first_sure(_ranked(tiled, views), views)) is not None:
            return face
    return None


def _ranked(found: Iterable[Found], views: Views) -> list[Found]:
    """Each face once, the one that the photo is most likely of first."""
    width, height = views.size

    def weight(face: Found) -> float:
        x, y = face.centre
        off = abs(x / width - 0.5) + abs(y / height - 0.5)
        return face.width * face.height * face.score * (1.2 - off)

    kept: list[Found] = []
    for face in sorted(found, key=weight, reverse=True):
        if not any(face.overlaps(other) for other in kept):
            kept.append(face)
    return kept


def _first_sure(ranked: list[Found], views: Views) -> Face | None:
    for seen in islice(ranked, _LOOKED_AT):
        # What is doubtful is looked at close up: a crowd may look like one large face.
        found = seen if seen.score >= _NEARLY_SURE else _closer(seen, views)
        fitted = mesh.fit(views, found.centre, found.side, _angle(found))
        if fitted.score >= _SURE:
            (x, y), _, height = fitted.box()
            side = _FACE_HEIGHTS * height
            down = _LOWER * side
            x, y = x - down * math.sin(fitted.angle), y + down * math.cos(fitted.angle)
            return Face(x - side / 2, y - side / 2, side, side, found.score, fitted.eyes, fitted.lips())
    return None


def _others(face: Face, views: Views) -> Iterator[tuple[float, float, float]]:
    """Faces that may reach into the picture of this one."""
    (x, y), side = face.centre, _NEIGHBOURHOOD * face.width
    own = Found(face.left, face.top, face.width, face.height, face.score, face.eyes)
    for found in detect(views, (x - side / 2, y - side / 2, side), FULL_RANGE):
        if found.overlaps(own) or own.overlaps(found):
            continue
        fitted = mesh.fit(views, found.centre, found.side, _angle(found))
        if fitted.score >= _SURE:
            yield *found.centre, found.side


def _as_detected(found: Found, views: Views) -> Face:
    """Without a mesh."""
    best = _closer(found, views)  # the eyes come out true enough to level by
    return Face(best.left, best.top, best.width, best.height, best.score, best.eyes)


def _closer(found: Found, views: Views) -> Found:
    """A second look, close up, with the finer detector; what was found where it sees nothing."""
    side = 2.2 * found.side
    x, y = found.centre
    closer = [face for face in detect(views, (x - side / 2, y - side / 2, side), SHORT_RANGE) if face.overlaps(found)]
    return max(closer, key=lambda face: face.score, default=found)


def _angle(found: Found) -> float:
    (x, y), (u, v) = found.eyes
    return math.atan2(v - y, u - x)


def _tiles(width: int, height: int, along: int) -> Iterator[tuple[float, float, float]]:
    """Square windows (left, top, side) that cover the photo, `along` of them at its longer edge; neighbours overlap by a quarter."""
    side = max(width, height) / (along - (along - 1) * _OVERLAP)
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, side


def _starts(length: int, side: float) -> list[float]:
    count = max(1, math.ceil((length - side) / (side * (1 - _OVERLAP)) - 1e-6) + 1)
    return [0.0] if count == 1 else [place * (length - side) / (count - 1) for place in range(count)]


def models() -> tuple[Model, ...]:
    """Detectors and mesh, loaded."""
    return (*blazeface.detectors(), load_model(mesh.MESH))
