"""The detectors: BlazeFace (Bazarevsky et al., 2019), full range and short range.

Their outputs are offsets from a fixed grid of anchors; the grids below are those of MediaPipe's `face_detection_full_range` and
`face_detection_short_range` graphs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from services.avatar.inference import Model, load_model
from services.avatar.views import Views

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

FULL_RANGE: Final = "face_detection_full_range_sparse.tflite"
SHORT_RANGE: Final = "face_detection_short_range.tflite"
_GRIDS: Final[dict[str, tuple[tuple[int, int], ...]]] = {FULL_RANGE: ((48, 1),), SHORT_RANGE: ((16, 2), (8, 6))}
"""By model: (cells each way, anchors a cell) of each layer, in the order of its outputs."""
_THRESHOLD: Final = {FULL_RANGE: 0.6, SHORT_RANGE: 0.5}


@dataclass(frozen=True, slots=True)
class Found:
    """What looks like a face, in the photo's pixels: a box from eyebrows to chin, and the eyes, the person's right one first."""

    left: float
    top: float
    width: float
    height: float
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def side(self) -> float:
        """The box's longer side."""
        return max(self.width, self.height)

    def overlaps(self, other: "Found") -> bool:
        """Whether this one's middle lies in the other's box: they are the same face."""
        (x, y), (u, v) = self.centre, other.centre
        return abs(x - u) < other.width / 2 and abs(y - v) < other.height / 2


def detect(views: Views, window: tuple[float, float, float], name: str) -> Iterable[Found]:
    """All faces in a square window (left, top, side), the surest first."""
    import numpy as np  # noqa: PLC0415 - heavy

    model = load_model(name)
    left, top, side = window
    outputs = model.run((views.square(left, top, side, model.edge) - 127.5) / 127.5)
    with np.errstate(over="ignore"):
        scores = 1 / (1 + np.exp(-outputs[1].reshape(-1)))
    places = outputs[16].reshape(-1, 8, 2) / model.edge
    places[:, (0, 2, 3)] += _anchors(name)[:, None]  # row 1 is width and height: no place; the others nobody asks for
    kept: list[Found] = []
    for index in np.argsort(-scores):
        if scores[index] < _THRESHOLD[name]:
            break
        found = _found(places[index] * side, left, top, float(scores[index]))
        if not any(found.overlaps(other) for other in kept):
            kept.append(found)
    return kept


def _found(points: "Floats", left: float, top: float, score: float) -> Found:
    width, height = (float(value) for value in points[1])
    (x, y), right_eye, left_eye = ((float(u) + left, float(v) + top) for u, v in points[[0, 2, 3]])
    return Found(x - width / 2, y - height / 2, width, height, score, (right_eye, left_eye))


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


def detectors() -> tuple[Model, ...]:
    """Both, loaded."""
    return load_model(FULL_RANGE), load_model(SHORT_RANGE)
