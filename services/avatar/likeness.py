"""What a photo suggests for a drawn avatar: colour of skin and hair, length of hair, the mouth. No gender, no age, no ethnicity.

Colours are measured where they surely are what they are called (cheeks, crown), after the photo's white was brought to white. All of it
is a suggestion: the user gets it in the result and can change each of it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.avatar.crop import Crop
from services.avatar.filters import luminance
from services.avatar.mesh import Lips

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Colour = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

Length = Literal["bald", "short", "long"]
Mouth = Literal["closed", "smiling", "open"]
_WHITE = 0.93
_MOST_GAIN = 2.2
"""Brighter than this a photo is not made: below it the night begins, and a dark face would be guessed pale."""
_LIKE_SKIN = 26.0
_SMOOTH = 11.0
_LIKE_HAIR = 40.0
_MUCH = 0.4
_GAPING = 0.37
"""A gap between the lips that is talk or surprise, unless the mouth is as wide as in laughing; in smiles it was 0.31 at most."""
_LAUGHING = 0.72
_RAISED = 0.02
"""The corners' lift from which a mouth smiles: in eight faces, tilted and darkened, smiles were above 0.05, all others below -0.005."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Colours as #rrggbb; None for hair or a mouth that cannot be seen (a hat counts as hair: it is what is seen)."""

    skin: str
    hair: str | None
    length: Length
    mouth: Mouth | None = None

    def shown(self) -> dict[str, str]:
        """For the result."""
        hair = {"hair": self.hair} if self.hair else {}
        mouth = {"mouth": str(self.mouth)} if self.mouth else {}
        return {"skin": self.skin, **hair, "hair_length": self.length, **mouth}


def measure_likeness(crop: Crop, matte: "Plane", lips: Lips | None) -> Likeness:
    """The likeness of a levelled crop with a face."""
    import numpy as np  # noqa: PLC0415 - heavy

    pixels, shape = _balanced(crop), mouth_of(lips)
    person = matte > 0.6  # noqa: PLR2004 - more person than not
    skin = _median(pixels, _within(crop, (0.18, 0.35, 0.82, 0.75)) & person, (0.45, 0.85))
    crown = _within(crop, (0.2, -_top(crop, person), 0.8, -0.55 * _top(crop, person))) & person
    if crown.mean() < 0.002:  # noqa: PLR2004 - the head is cut off above the brows
        return Likeness(_hex(skin), None, "short", shape)
    hair = _median(pixels, crown, (0.1, 0.7))
    smooth = float(np.std(luminance(crop.pixels)[crown]) * 255) < _SMOOTH
    if smooth and _apart(hair, skin) < _LIKE_SKIN:
        return Likeness(_hex(skin), None, "bald", shape)
    beside = [_within(crop, (-0.32, 0.7, -0.02, 1.1)), _within(crop, (1.02, 0.7, 1.32, 1.1))]
    hairy = np.sqrt(np.square(pixels - hair).sum(axis=-1)) < _LIKE_HAIR
    long = max(float((hairy & person)[side].mean()) for side in beside) > _MUCH
    return Likeness(_hex(skin), _hex(hair), "long" if long else "short", shape)


def _top(crop: Crop, person: "Mask") -> float:
    """How far the head reaches above the brows, in face heights."""
    import numpy as np  # noqa: PLC0415 - heavy

    left, top, right, bottom = crop.face or (0, 0, crop.edge, crop.edge)
    rows = np.flatnonzero(person[: max(top, 1), (2 * left + right) // 3 : (left + 2 * right) // 3 + 1].mean(axis=1) > 0.5)  # noqa: PLR2004
    return float(top - rows[0]) / (bottom - top) if rows.size else 0.0


def mouth_of(lips: Lips | None) -> Mouth | None:
    """What the lips do: by their shape, for teeth are white and lips are red in good light only."""
    if lips is None:
        return None
    if lips.gap > _GAPING and lips.width < _LAUGHING:
        return "open"
    return "smiling" if lips.lift > _RAISED else "closed"


def _balanced(crop: Crop) -> "npt.NDArray[np.float32]":
    """The crop, its brightest parts brought to white."""
    import numpy as np  # noqa: PLC0415 - heavy

    pixels = crop.pixels.astype(np.float32)
    white = float(np.percentile(pixels.max(axis=-1), 99.5)) / 255
    balanced: npt.NDArray[np.float32] = np.clip(pixels * min(_MOST_GAIN, max(1.0, _WHITE / max(white, 0.01))), 0, 255).astype(np.float32)
    return balanced


def _within(crop: Crop, box: tuple[float, float, float, float]) -> "Mask":
    """The pixels in a box that is given in face widths and heights from the face's upper left corner."""
    import numpy as np  # noqa: PLC0415 - heavy

    left, top, right, bottom = crop.face or (0, 0, crop.edge, crop.edge)
    width, height = right - left, bottom - top
    rows, columns = np.ogrid[: crop.edge, : crop.edge]
    across = (columns >= left + box[0] * width) & (columns < left + box[2] * width)
    mask: Mask = across & (rows >= top + box[1] * height) & (rows < top + box[3] * height)
    return mask


def _median(pixels: "npt.NDArray[np.float32]", mask: "Mask", share: tuple[float, float]) -> "Colour":
    """The middle colour of the masked pixels whose brightness is within `share` of their order: neither shine nor shadow."""
    import numpy as np  # noqa: PLC0415 - heavy

    chosen = pixels[mask] if mask.any() else pixels.reshape(-1, 3)
    light = chosen.mean(axis=-1)
    low, high = np.quantile(light, share)
    middle: Colour = np.median(chosen[(light >= low) & (light <= high)], axis=0)
    return middle


def _apart(colour: "Colour", other: "Colour") -> float:
    return float(((colour - other) ** 2).sum() ** 0.5)


def _hex(colour: "Colour") -> str:
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in colour)
