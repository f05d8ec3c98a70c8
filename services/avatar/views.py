"""Square views into a photo, for models that take small pictures: from copies at half, a quarter … of its size, each made once."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Views:
    """A photo of shape (height, width, 3). What of a view lies outside it is black, as the models were trained."""

    pixels: "Pixels"
    _copies: "list[Image.Image]" = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])

    def square(self, left: float, top: float, side: float, edge: int) -> "Floats":
        """The square window at (`left`, `top`) as (edge, edge, 3), 0 to 255."""
        import numpy as np  # noqa: PLC0415 - heavy
        from PIL import Image  # noqa: PLC0415 - heavy

        copy, scale = self._near(side / edge)
        box = (round(left / scale), round(top / scale), round((left + side) / scale), round((top + side) / scale))
        return np.asarray(copy.crop(box).resize((edge, edge), Image.Resampling.BILINEAR), dtype=np.float32)

    def turned(self, centre: tuple[float, float], side: float, angle: float, edge: int) -> "tuple[Floats, Floats]":
        """The square around `centre`, turned by `angle` (radians, clockwise), and the (2, 3) matrix of its places in the photo."""
        import numpy as np  # noqa: PLC0415 - heavy
        from PIL import Image  # noqa: PLC0415 - heavy

        cos, sin = np.cos(angle) * side / edge, np.sin(angle) * side / edge
        (x, y), half = centre, edge / 2
        matrix = np.asarray([[cos, -sin, x - half * cos + half * sin], [sin, cos, y - half * sin - half * cos]], dtype=np.float32)
        copy, scale = self._near(side / edge)
        view = copy.transform((edge, edge), Image.Transform.AFFINE, tuple((matrix / scale).ravel()), Image.Resampling.BILINEAR)
        return np.asarray(view, dtype=np.float32), matrix

    def _near(self, shrink: float) -> "tuple[Image.Image, int]":
        """The smallest copy that is still twice as fine as a view which shrinks the photo by so much, and by how much it is smaller."""
        from PIL import Image  # noqa: PLC0415 - heavy

        if not self._copies:
            self._copies.append(Image.fromarray(self.pixels))
        step = 0
        while 2 ** (step + 2) <= shrink:
            step += 1
            if step == len(self._copies):
                self._copies.append(self._copies[-1].reduce(2))
        return self._copies[step], 2**step
