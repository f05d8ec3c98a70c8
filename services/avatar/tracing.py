"""Flat prints as vector graphics, by vtracer: areas of one ink become smooth outlines, sharp at any size."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.avatar.palettes import rgb
from services.avatar.raster import RenderError, encode_pixels
from services.avatar.styles import Rights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_FILL = re.compile(r'fill="(#[0-9a-fA-F]{6})"')
_OPAQUE = 128
_EDGE = 768
"""Traced at this edge: finer than any feature that a print keeps."""


def trace(pixels: "npt.NDArray[np.uint8]", colours: Sequence[str], size: int) -> str:
    """An SVG of (edge, edge, 3 or 4) pixels in nothing but `colours` (and nothing where they are transparent), to be shown at `size`.

    Raises:
        RenderError: the tracer gave no graphic.
    """
    import numpy as np  # noqa: PLC0415 - heavy
    import vtracer  # noqa: PLC0415 - only for SVG
    from PIL import Image  # noqa: PLC0415 - heavy

    flat = Image.fromarray(pixels).resize((_EDGE, _EDGE), Image.Resampling.LANCZOS)
    svg: str = vtracer.convert_raw_image_to_svg(
        encode_pixels(_snapped(np.asarray(flat), colours), "png", Rights()),
        img_format="png",
        colormode="color",
        hierarchical="stacked",
        mode="spline",
        filter_speckle=6,
        color_precision=8,
        layer_difference=0,
        corner_threshold=70,
        length_threshold=4.0,
        splice_threshold=45,
        path_precision=1,
    )
    start = svg.find("<svg")
    if start < 0:
        raise RenderError("the tracer gave no graphic")
    # Specks join an area and tint it by a shade: give every area its ink back.
    body = _FILL.sub(lambda found: f'fill="{_nearest(found[1], colours)}"', svg[svg.index(">", start) + 1 :])
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_EDGE} {_EDGE}" width="{size}" height="{size}">{body}'


def _snapped(pixels: "npt.NDArray[np.uint8]", colours: Sequence[str]) -> "npt.NDArray[np.uint8]":
    """Each pixel as the nearest of `colours`: the soft edges between two inks would be traced as areas of their own."""
    import numpy as np  # noqa: PLC0415 - heavy

    inks = np.stack([rgb(colour) for colour in dict.fromkeys(colours)])
    flat = pixels[..., :3].reshape(-1, 3).astype(np.float32)
    # |p - i|² without |p|², which is the same for every ink
    nearest = (np.square(inks).sum(axis=1) - 2 * flat @ inks.T).argmin(axis=1)
    snapped: npt.NDArray[np.uint8] = inks.astype(np.uint8)[nearest].reshape(*pixels.shape[:2], 3)
    if pixels.shape[2] == 3:  # noqa: PLR2004 - no alpha
        return snapped
    return np.dstack([snapped, np.where(pixels[..., 3] < _OPAQUE, 0, 255).astype(np.uint8)])


def _nearest(colour: str, colours: Sequence[str]) -> str:
    wanted = _parts(colour)
    return min(colours, key=lambda ink: sum((one - other) ** 2 for one, other in zip(wanted, _parts(ink), strict=True)))


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
