"""Which pixels are the person: MediaPipe's selfie segmentation, its edge refined on the photo itself."""

from typing import TYPE_CHECKING, Final

from services.avatar.company import EDGE, flood, own_part
from services.avatar.crop import Crop
from services.avatar.filters import box, crisp, guided_model, luminance, resize, smoothstep
from services.avatar.inference import load_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

SEGMENTATION: Final = "selfie_segmentation.tflite"
_COARSE = 64
_OUTLINE_EDGE = 320
_RADIUS = 4
_SOFTNESS = 0.06


def cut_out(crop: Crop) -> "Plane":
    """How much each pixel belongs to the person, shape (edge, edge), 0 to 1; 0 outside the photo."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    model = load_model(SEGMENTATION)
    view = Image.fromarray(crop.pixels).resize((model.edge, model.edge), Image.Resampling.BILINEAR, reducing_gap=2.0)
    small = np.asarray(view, dtype=np.uint8)
    mask: Plane = model.run(small.astype(np.float32) / np.float32(255))[1][..., 0]
    mask = mask * resize(crop.valid, model.edge)
    mask = mask * resize(_connected(resize(mask, _COARSE), crop), model.edge)
    if crop.face is not None:
        mask = mask * np.clip(resize(own_part(resize(mask, EDGE), crop), model.edge), 0, 1)
    slope, offset = guided_model(luminance(small), mask, _RADIUS, _SOFTNESS)
    fine = resize(slope, crop.edge) * luminance(crop.pixels) + resize(offset, crop.edge)
    return smoothstep(fine, 0.3, 0.75) * crop.valid


def _connected(mask: "Plane", crop: Crop) -> "Plane":
    """1.0 in the part of a coarse mask that the face belongs to, and a cell around it: other people go."""
    import numpy as np  # noqa: PLC0415 - heavy

    left, top, right, bottom = crop.face or (crop.edge // 3, crop.edge // 3, 2 * crop.edge // 3, 2 * crop.edge // 3)
    scale = mask.shape[0] / crop.edge
    seeds = np.zeros(mask.shape, dtype=bool)
    seeds[int(top * scale) : int(bottom * scale) + 1, int(left * scale) : int(right * scale) + 1] = True
    reached = flood(seeds, mask > 0.5)  # noqa: PLR2004 - more person than not
    grown = reached.copy()
    for shift in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        grown[shift[0]] |= reached[shift[1]]
        grown[:, shift[0]] |= reached[:, shift[1]]
    connected: Plane = grown.astype(np.float32)
    return connected


def outline(matte: "Plane") -> "Plane":
    """The matte with a smooth, drawn edge: what is frayed or faint is decided one way or the other."""
    coarse = resize(matte, min(matte.shape[0], _OUTLINE_EDGE))
    return crisp(resize(box(coarse, 2), matte.shape[0]), 0.5)
