"""Finds faces with BlazeFace (Bazarevsky et al., 2019): the full-range model on the whole photo, the short-range one close up.

The models' outputs are offsets from a fixed grid of anchors; the grids below are those of MediaPipe's `face_detection_full_range`
and `face_detection_short_range` graphs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from services.avatar.inference import Model, load_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

FULL_RANGE: Final = "face_detection_full_range_sparse.tflite"
SHORT_RANGE: Final = "face_detection_short_range.tflite"
_GRIDS: Final[dict[str, tuple[tuple[int, int], ...]]] = {FULL_RANGE: ((48, 1),), SHORT_RANGE: ((16, 2), (8, 6))}
"""By model: (cells each way, anchors a cell) of each layer, in the order of its outputs."""
_THRESHOLD: Final = {FULL_RANGE: 0.6, SHORT_RANGE: 0.5}


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a photo, in its pixels: box from eyebrows to chin, the eyes (the person's right one first), nose tip and mouth."""

    left: float
    top: float
    width: float
    height: float
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]]
    nose: tuple[float, float]
    mouth: tuple[float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.left + self.width / 2, self.top + self.height / 2


def find_face(pixels: "Pixels") -> Face | None:
    """The face that the photo is of, or None. With several, large, sure and central ones go first."""
    height, width = pixels.shape[:2]
    whole = (0.0, 0.0, float(max(width, height)))
    found = [*_detect(pixels, whole, FULL_RANGE), *_detect(pixels, whole, SHORT_RANGE)]
    if not found:
        return None
    best = max(found, key=lambda face: _weight(face, width, height))
    # A second look, close up, with the finer of the two: the eyes come out true enough to level by.
    side = 2.2 * max(best.width, best.height)
    x, y = best.centre
    closer = [face for face in _detect(pixels, (x - side / 2, y - side / 2, side), SHORT_RANGE) if _overlap(face, best)]
    return max(closer, key=lambda face: face.score, default=best)


def _weight(face: Face, width: int, height: int) -> float:
    x, y = face.centre
    off = abs(x / width - 0.5) + abs(y / height - 0.5)
    return face.width * face.height * face.score * (1.2 - off)


def _overlap(face: Face, other: Face) -> bool:
    (x, y), (u, v) = face.centre, other.centre
    return abs(x - u) < other.width / 2 and abs(y - v) < other.height / 2


def _detect(pixels: "Pixels", window: tuple[float, float, float], name: str) -> Iterable[Face]:
    """All faces in a square window (left, top, side); what of it lies outside the photo is black, as the models were trained."""
    import numpy as np  # noqa: PLC0415 - heavy

    model = load_model(name)
    outputs = model.run(_view(pixels, window, model.edge))
    with np.errstate(over="ignore"):
        scores = 1 / (1 + np.exp(-outputs[1].reshape(-1)))
    places = outputs[16].reshape(-1, 8, 2) / model.edge
    places[:, (0, 2, 3, 4, 5, 6, 7)] += _anchors(name)[:, None]  # row 1 is width and height: no place
    left, top, side = window
    kept: list[Face] = []
    for index in np.argsort(-scores):
        if scores[index] < _THRESHOLD[name]:
            break
        face = _face(places[index] * side, left, top, float(scores[index]))
        if not any(_overlap(face, other) for other in kept):
            kept.append(face)
    return kept


def _face(points: "Floats", left: float, top: float, score: float) -> Face:
    width, height = (float(value) for value in points[1])
    (x, y), right_eye, left_eye, nose, mouth = ((float(u) + left, float(v) + top) for u, v in points[[0, 2, 3, 4, 5]])
    return Face(x - width / 2, y - height / 2, width, height, score, (right_eye, left_eye), nose, mouth)


def _view(pixels: "Pixels", window: tuple[float, float, float], edge: int) -> "Floats":
    """The window as a model's input: (edge, edge, 3), -1 to 1."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    left, top, side = window
    box = (round(left), round(top), round(left + side), round(top + side))
    view = Image.fromarray(pixels).crop(box).resize((edge, edge), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return (np.asarray(view, dtype=np.float32) - 127.5) / 127.5


@cache
def _anchors(name: str) -> "Floats":
    """The anchors' centres, shape (anchors, 2), 0 to 1."""
    import numpy as np  # noqa: PLC0415 - heavy

    layers = []
    for cells, repeats in _GRIDS[name]:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        layers.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(layers)


def models() -> tuple[Model, ...]:
    """Both detectors, loaded."""
    return load_model(FULL_RANGE), load_model(SHORT_RANGE)
