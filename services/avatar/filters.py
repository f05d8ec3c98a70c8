"""Small image filters in numpy, over arrays of shape (height, width), 0.0 to 1.0."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

_LUMA = (0.2126, 0.7152, 0.0722)


def luminance(pixels: "npt.NDArray[np.uint8]") -> "Plane":
    """Rec. 709 luma of (height, width, 3) sRGB pixels, 0 to 1."""
    import numpy as np  # noqa: PLC0415 - heavy

    luma: Plane = (pixels @ np.asarray(_LUMA, dtype=np.float32)).astype(np.float32) / np.float32(255)
    return luma


def box(plane: "Plane", radius: int) -> "Plane":
    """The mean over a (2 × radius + 1)² window, edges repeated: two running sums, whatever the radius."""
    import numpy as np  # noqa: PLC0415 - heavy

    result = plane
    span = 2 * radius + 1
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(result, pad, mode="edge"), axis=axis, dtype=np.float64)
        upper, lower = (sums[span:], sums[:-span]) if axis == 0 else (sums[:, span:], sums[:, :-span])
        result = ((upper - lower) / span).astype(np.float32)
    return result


def guided(guide: "Plane", plane: "Plane", radius: int, softness: float) -> "Plane":
    """`plane` smoothed, but with the edges of `guide` (He, Sun and Tang, "Guided Image Filtering", 2010).

    `softness` is the contrast below which an edge is smoothed away, 0 to 1.
    """
    slope, offset = guided_model(guide, plane, radius, softness)
    return slope * guide + offset


def guided_model(guide: "Plane", plane: "Plane", radius: int, softness: float) -> "tuple[Plane, Plane]":
    """The filter's local linear model (slope, offset), which may be enlarged and applied to a larger guide (He and Sun, 2015)."""
    import numpy as np  # noqa: PLC0415 - heavy

    mean_guide, mean_plane = box(guide, radius), box(plane, radius)
    covariance = box(guide * plane, radius) - mean_guide * mean_plane
    variance = box(guide * guide, radius) - mean_guide * mean_guide
    slope: Plane = (covariance / (variance + softness * softness)).astype(np.float32)
    return box(slope, radius), box(mean_plane - slope * mean_guide, radius)


def resize(plane: "Plane", edge: int) -> "Plane":
    """A square plane at `edge` pixels, bicubic when it grows, area-averaged when it shrinks."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    if plane.shape == (edge, edge):
        return plane
    method = Image.Resampling.BOX if edge < plane.shape[0] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize((edge, edge), method), dtype=np.float32)


def smoothstep(plane: "Plane", low: float, high: float) -> "Plane":
    """0 below `low`, 1 above `high`, an S between."""
    import numpy as np  # noqa: PLC0415 - heavy

    ramp = np.clip((plane - low) / (high - low), 0, 1)
    curve: Plane = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return curve


def crisp(plane: "Plane", *levels: float) -> "Plane":
    """How many of the ascending `levels` each value is above, edges spread over one pixel: outlines without steps."""
    import numpy as np  # noqa: PLC0415 - heavy

    down, across = np.gradient(plane)
    slope = np.maximum(np.hypot(down, across), np.float32(1e-4))
    passed = np.zeros_like(plane)
    for level in levels:
        passed += np.clip((plane - np.float32(level)) / slope + np.float32(0.5), 0, 1)
    return passed
