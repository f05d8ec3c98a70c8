"""The two kinds of picture: drawn (an SVG) and printed (pixels)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.avatar.clock import Clock
from services.avatar.raster import RenderError, encode_pixels, render_svg
from services.avatar.styles import Rights
from shared.contracts.avatar import Format

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """An illustration: scaled as a vector graphic, so that every size is sharp."""

    svg: str
    rights: Rights
    options: dict[str, Any]
    clock: Clock

    def file(self, size: int, fmt: Format) -> bytes:
        """Render the graphic at `size`, or give its text."""
        with self.clock.stage("encode"):
            return render_svg(self.svg, size, fmt, self.rights)


@dataclass(frozen=True, slots=True)
class PrintedPicture:
    """A print of (edge, edge, 3 or 4) pixels, made at the largest size asked for; smaller ones are reduced from it.

    `graphic` traces it, where its style is flat enough for an SVG.
    """

    pixels: "npt.NDArray[np.uint8]"
    rights: Rights
    options: dict[str, Any]
    clock: Clock
    graphic: Callable[[int], str] | None = None

    def file(self, size: int, fmt: Format) -> bytes:
        """The print at `size`, or its outlines."""
        if fmt == "svg":
            if self.graphic is None:
                raise RenderError("this style is made of pixels and has no SVG")
            with self.clock.stage("trace"):
                return self.graphic(size).encode()
        with self.clock.stage("encode"):
            return encode_pixels(self._at(size), fmt, self.rights)

    def _at(self, size: int) -> "npt.NDArray[np.uint8]":
        import numpy as np  # noqa: PLC0415 - heavy
        from PIL import Image  # noqa: PLC0415 - heavy

        if size == self.pixels.shape[0]:
            return self.pixels
        return np.asarray(Image.fromarray(self.pixels).resize((size, size), Image.Resampling.LANCZOS), dtype=np.uint8)
