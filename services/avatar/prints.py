"""The printed portrait styles: poster, photo, duotone, halftone and line. Each paints a cut-out onto a flat ground.

All are pure functions of the tones and the matte; none looks at a fixed brightness.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.avatar.crop import Crop
from services.avatar.filters import box, crisp, guided, luminance, resize, smoothstep
from services.avatar.palettes import Palette, rgb
from services.avatar.tone import Tones, stretch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


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
_LINE_EDGE = 640
"""Lines are found at this edge, so that their width is a share of the picture."""
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


def line(subject: Subject, palette: Palette) -> "Pixels":
    """A pen drawing: lines where the tone changes, solid ink where it is darker than the face's own shadows."""
    import numpy as np  # noqa: PLC0415 - heavy

    tones, edge = subject.tones, min(subject.crop.edge, _LINE_EDGE)
    tone = resize(tones.relative(luminance(subject.crop.pixels)), edge)
    tone = guided(tone, tone, 3, 0.05)
    found = smoothstep(box(box(tone, 4), 4) - box(tone, 1), 0.016, 0.05)
    found = found * smoothstep(box(found, 8), 0.035, 0.1)  # a line has more of its kind beside it than a speck
    first, second, *_ = tones.thresholds
    dark = crisp(box(tones.plane, 2), first + 0.3 * (second - first))
    paper = np.minimum(1 - crisp(resize(box(found, 1), subject.crop.edge), 0.3), dark)
    if subject.crop.face is not None:  # the outline itself, or the matte's edge would be a row of dashes
        radius = max(2, subject.crop.edge // 160)
        paper = np.minimum(paper, crisp(box(box(subject.outline * subject.crop.valid, radius), radius), 0.72))
    return _ink(paper, palette.inks[::4])


def _ink(level: "Plane", inks: Sequence[str]) -> "Pixels":
    """The inks by number: 0.0 is the first, 1.0 the second, 0.5 half of each. By a table, for speed."""
    import numpy as np  # noqa: PLC0415 - heavy

    last = len(inks) - 1
    steps = np.linspace(0, last, last * _SHADES + 1)
    channels = [np.interp(steps, np.arange(len(inks)), channel) for channel in np.stack([rgb(ink) for ink in inks]).T]
    table = np.stack(channels, axis=-1).round().astype(np.uint8)
    return table[(level * _SHADES + 0.5).astype(np.intp)]


PRINTS: Final[dict[str, Print]] = {"poster": poster, "photo": photo, "duotone": duotone, "halftone": halftone, "line": line}
PRINT_NAMES: Final = tuple(PRINTS)


SOFT_EDGED: Final = frozenset({"photo", "duotone"})
"""The prints that keep single hairs; the others have an outline."""


def lay(painted: "Pixels", matte: "Plane", ground: str) -> "Pixels":
    """The painting on its ground, uint8: (edge, edge, 3), or with the matte as alpha (…, 4) where `ground` is "transparent"."""
    import numpy as np  # noqa: PLC0415 - heavy

    if ground == "transparent":
        return np.dstack([painted, (matte * 255).round().clip(0, 255).astype(np.uint8)])
    under = rgb(ground)
    mixed = (painted - under) * matte[..., None] + under
    return mixed.round().clip(0, 255).astype(np.uint8)


FLAT: Final = {"poster": 1, "line": 4}
"""The prints that are areas of few inks, every how many of the palette's: they can be traced as vector graphics."""
