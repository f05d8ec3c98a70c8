"""Portraits painted by a network: in one of nine curated manners, or in the manner of any picture.

The manners are styles of a 26-style network (Dumoulin et al., "A Learned Representation For Artistic Style", 2017), those that flatter a
face at 1,024 pixels; any picture goes through arbitrary style transfer (Ghiasi et al., 2017), which works at 384 pixels and is softer.

The person is painted on a flat ground and cut out again afterwards, or strokes would grow out of the outline. Before, the light is
brought to where the manners were judged, relative to the face: the networks turn a dark face into a dark blot otherwise.
"""

import math
from typing import TYPE_CHECKING, Final

from services.avatar.filters import luminance
from services.avatar.networks import MULTISTYLE, PREDICT, TRANSFORM, network
from services.avatar.palettes import rgb
from services.avatar.prints import Subject, lay
from services.avatar.tone import FACE_SPAN

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

PAINTINGS: Final[dict[str, tuple[int, str]]] = {
    "woodcut": (2, "#d9d2c3"),
    "crimson": (4, "#d9d2c3"),
    "pastel": (8, "#e8e4dc"),
    "starlight": (19, "#b9b4aa"),
    "verdigris": (24, "#d9d2c3"),
    "ochre": (11, "#d9d2c3"),
    "frost": (14, "#d9d2c3"),
    "amber": (0, "#d9d2c3"),
    "watercolour": (12, "#e8e4dc"),
}
"""By name: the network's number for the manner, and the flat ground that it paints best on."""
_STYLES = 26
_WIDEST = 768
"""The network's canvas, in pixels: at 1,024 it costs twice as much, and strokes are not finer for it."""
_LEAST = 640
"""Below it the strokes are as large as the features."""
_ANY_EDGE = 384
_PREDICT_EDGE = 256
_FACE_LIGHT = (0.14, 0.88)
"""Where the face's darkest and lightest parts are brought before it is painted."""
_FACE_MIDDLE = 0.6
"""Where, between them, the middle of the face is brought."""
_RELIT = 0.8
"""How far: the rest is the photo's own light, for a face keeps the complexion that its owner knows."""


def paint(subject: Subject, name: str) -> "tuple[Pixels, str]":
    """The person in the manner `name`, the crop's edge in pixels, and the ground as the manner paints it."""
    import numpy as np  # noqa: PLC0415 - heavy

    number, ground = PAINTINGS[name]
    weights = np.zeros(_STYLES, dtype=np.float32)
    weights[number] = 1
    edge = min(max(subject.crop.edge, _LEAST), _WIDEST) // 4 * 4
    canvas = _fit(_flat(subject, ground), edge)
    out = network(MULTISTYLE).run(None, {"image": canvas.transpose(2, 0, 1)[None], "style_weights": weights})[0][0]
    return _finish(out.transpose(1, 2, 0), subject)


def paint_like(subject: Subject, vector: "Floats") -> "tuple[Pixels, str]":
    """The person in the manner of a picture, as `manner_of` gave it."""
    canvas = _fit(_flat(subject, "#d9d2c3"), _ANY_EDGE)
    session = network(TRANSFORM)
    content, style = (entry.name for entry in session.get_inputs())
    out = session.run(None, {content: canvas[None], style: vector})[0][0]
    return _finish(out, subject)


def manner_of(picture: "Pixels") -> "Floats":
    """What `paint_like` needs of a picture: its middle square, as 100 numbers."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    session = network(PREDICT)
    view = _fit(picture[top : top + side, left : left + side], _PREDICT_EDGE)
    vector: Floats = session.run(None, {session.get_inputs()[0].name: view[None]})[0]
    return vector


def weaken(painted: "Pixels", subject: Subject, strength: float) -> "Pixels":
    """The painting with `1 - strength` of the photo in it."""
    import numpy as np  # noqa: PLC0415 - heavy

    if strength >= 1:
        return painted
    photo = relight(subject).astype(np.float32)
    return (photo + (painted - photo) * np.float32(strength)).clip(0, 255).astype(np.uint8)


def relight(subject: Subject) -> "Pixels":
    """The crop with its light brought to where a well-lit face has it; colours keep their ratios."""
    import numpy as np  # noqa: PLC0415 - heavy

    light, tones = luminance(subject.crop.pixels), subject.tones
    scale = np.clip((light - tones.darkest) / tones.span, 0, 1)
    middle = min(max(tones.thresholds[2] / FACE_SPAN, 0.05), 0.95)
    bend = min(max(math.log(_FACE_MIDDLE) / math.log(middle), 0.55), 1.4)
    low, high = _FACE_LIGHT
    wanted = low + scale**bend * (high - low)
    gain = wanted * np.float32(_RELIT) + light * np.float32(1 - _RELIT)
    ratio = gain / np.maximum(light, np.float32(0.02))
    lit: Pixels = (subject.crop.pixels * ratio[..., None]).clip(0, 255).astype(np.uint8)
    return lit


def _flat(subject: Subject, ground: str) -> "Pixels":
    return lay(relight(subject), subject.matte, ground)


def _fit(pixels: "Pixels", edge: int) -> "Floats":
    """Square pixels as a network's input: (edge, edge, 3), 0 to 1."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    fitted = Image.fromarray(pixels).resize((edge, edge), Image.Resampling.LANCZOS)
    return np.asarray(fitted, dtype=np.float32) / np.float32(255)


def _finish(painted: "Floats", subject: Subject) -> "tuple[Pixels, str]":
    """At the crop's edge, and the ground's colour: the middle one of what was painted where nobody is."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    picture = Image.fromarray((painted.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    edge = subject.crop.edge
    pixels = np.asarray(picture.resize((edge, edge), Image.Resampling.LANCZOS), dtype=np.uint8)
    nobody = subject.matte < 0.02  # noqa: PLR2004 - surely ground
    colour = np.median(pixels[nobody], axis=0) if nobody.mean() > 0.01 else rgb("#d9d2c3")  # noqa: PLR2004 - enough of it to tell
    return pixels, "#" + "".join(f"{round(float(channel)):02x}" for channel in colour)
