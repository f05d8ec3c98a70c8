"""The inks of a print: the house's palettes, or a brand's own colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Colours = npt.NDArray[np.float32]

_LEAST_STEP = 0.12
"""In luminance: two inks closer than this would not show where one ends."""


@dataclass(frozen=True, slots=True)
class Palette:
    """A ground and five inks from dark to light, as #rrggbb."""

    name: str
    ground: str
    inks: tuple[str, ...]


PALETTES: Final = (
    Palette("ember", "#ffc44f", ("#350a3d", "#a8154f", "#ea4f4b", "#ff9d6c", "#ffe8bf")),
    Palette("lagoon", "#9be3d3", ("#0c1f4a", "#1c4f8c", "#3d8fc2", "#8fcbdd", "#f4fbf3")),
    Palette("meadow", "#f6d98f", ("#14281f", "#2a5c4a", "#4c9673", "#a6cd8d", "#fbf6da")),
    Palette("orchid", "#ffd3e4", ("#201044", "#5b2a93", "#a64fc2", "#f08fbd", "#fff0e6")),
    Palette("graphite", "#f2725a", ("#14161b", "#484e59", "#8a919d", "#ccd1d7", "#ffffff")),
    Palette("ocean", "#ffe1a8", ("#08263a", "#0f4c5c", "#2a8a8f", "#86c7b4", "#f7f5e6")),
)
BY_NAME: Final = {palette.name: palette for palette in PALETTES}


def of_colours(colours: Sequence[str]) -> Palette:
    """Five inks out of two to five colours, darkest first, the missing ones mixed between their neighbours; the ground is a light mix.

    Colours too close in brightness would print a face flat: the darkest is darkened and the lightest lightened until they are apart.
    """
    inks = sorted((colour.lower() for colour in colours), key=brightness)
    span = brightness(inks[-1]) - brightness(inks[0])
    short = max(0.0, _LEAST_STEP * 4 - span)
    inks[0], inks[-1] = mix(inks[0], "#000000", min(1.0, short * 1.5)), mix(inks[-1], "#ffffff", min(1.0, short * 1.5))
    places = [index * (len(inks) - 1) / 4 for index in range(5)]
    five = [mix(inks[int(place)], inks[min(int(place) + 1, len(inks) - 1)], place % 1) for place in places]
    return Palette("own", mix(five[3], "#ffffff", 0.55), tuple(five))


def rgb(colour: str) -> "Colours":
    """#rrggbb as three numbers, 0 to 255."""
    import numpy as np  # noqa: PLC0415 - heavy

    return np.asarray(_parts(colour), dtype=np.float32)


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` of `other` in it."""
    parts = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in parts)


def brightness(colour: str) -> float:
    """Rec. 709 luma, 0 to 1."""
    red, green, blue = _parts(colour)
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
