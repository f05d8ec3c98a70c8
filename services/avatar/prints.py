"""The portrait styles: poster, photo, duotone and halftone. Each paints a cut-out onto a flat ground.

All are pure functions of the tones and the matte; none looks at a fixed brightness.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.avatar.crop import Crop
from services.avatar.filters import crisp, luminance, smoothstep
from services.avatar.tone import Tones, stretch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Colours = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Palette:
    """A ground and five inks from dark to light, as #rrggbb."""

    name: str
    ground: str
    inks: tuple[str, str, str, str, str]


PALETTES: Final = (
    Palette("ember", "#ffc44f", ("#350a3d", "#a8154f", "#ea4f4b", "#ff9d6c", "#ffe8bf")),
    Palette("lagoon", "#9be3d3", ("#0c1f4a", "#1c4f8c", "#3d8fc2", "#8fcbdd", "#f4fbf3")),
    Palette("meadow", "#f6d98f", ("#14281f", "#2a5c4a", "#4c9673", "#a6cd8d", "#fbf6da")),
    Palette("orchid", "#ffd3e4", ("#201044", "#5b2a93", "#a64fc2", "#f08fbd", "#fff0e6")),
    Palette("graphite", "#f2725a", ("#14161b", "#484e59", "#8a919d", "#ccd1d7", "#ffffff")),
    Palette("ocean", "#ffe1a8", ("#08263a", "#0f4c5c", "#2a8a8f", "#86c7b4", "#f7f5e6")),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A cut-out person: everything a print needs, measured once for all variants.

    `matte` has soft edges (hair), `outline` is the same with a drawn edge.
    """

    crop: Crop
    matte: "Plane"
    outline: "Plane"
    tones: Tones


Print = Callable[[Subject, Palette], "Pixels"]
"""Paints the subject: shape (edge, edge, 3), 0 to 255. The ground is laid under it afterwards."""
_SHADES = 64
"""Steps between two inks: enough for a smooth edge or gradient."""


def poster(subject: Subject, palette: Palette) -> "Pixels":
    """Five flat inks, split at the face's own percentiles."""
    return _ink(crisp(subject.tones.plane, *subject.tones.thresholds), palette.inks)


def photo(subject: Subject, palette: Palette) -> "Pixels":
    """The person as photographed."""
    del palette  # only its ground shows
    return subject.crop.pixels


def duotone(subject: Subject, palette: Palette) -> "Pixels":
    """Two inks and all shades between them."""
    return _ink(stretch(subject.tones.relative(luminance(subject.crop.pixels)), subject.tones), palette.inks[::4])


def halftone(subject: Subject, palette: Palette) -> "Pixels":
    """Dark dots on paper, on a screen turned by 45°; the darker, the larger."""
    import numpy as np  # noqa: PLC0415 - heavy

    edge = subject.crop.edge
    pitch = edge / 72
    rows, columns = np.mgrid[:edge, :edge].astype(np.float32) * np.float32(math.pi / pitch * math.sqrt(0.5))
    screen = (np.cos(columns + rows) * np.cos(columns - rows) + 1) / 2
    paper = smoothstep(stretch(subject.tones.plane, subject.tones) - screen, -1.5 / pitch, 1.5 / pitch)
    return _ink(paper, palette.inks[::4])


def _ink(level: "Plane", inks: Sequence[str]) -> "Pixels":
    """The inks by number: 0.0 is the first, 1.0 the second, 0.5 half of each. By a table, for speed."""
    import numpy as np  # noqa: PLC0415 - heavy

    last = len(inks) - 1
    steps = np.linspace(0, last, last * _SHADES + 1)
    channels = [np.interp(steps, np.arange(len(inks)), channel) for channel in np.stack([_rgb(ink) for ink in inks]).T]
    table = np.stack(channels, axis=-1).round().astype(np.uint8)
    return table[(level * _SHADES + 0.5).astype(np.intp)]


PRINTS: Final[dict[str, Print]] = {"poster": poster, "photo": photo, "duotone": duotone, "halftone": halftone}
PRINT_NAMES: Final = tuple(PRINTS)


SOFT_EDGED: Final = frozenset({"photo", "duotone"})
"""The prints that keep single hairs; the others have an outline."""


def lay(painted: "Pixels", matte: "Plane", ground: str) -> "Pixels":
    """The painting on its ground, uint8: (edge, edge, 3), or with the matte as alpha (…, 4) where `ground` is "transparent"."""
    import numpy as np  # noqa: PLC0415 - heavy

    if ground == "transparent":
        return np.dstack([painted, (matte * 255).round().clip(0, 255).astype(np.uint8)])
    under = _rgb(ground)
    mixed = (painted - under) * matte[..., None] + under
    return mixed.round().clip(0, 255).astype(np.uint8)


def _rgb(colour: str) -> "Colours":
    import numpy as np  # noqa: PLC0415 - heavy

    return np.asarray([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=np.float32)
