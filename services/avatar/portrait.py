"""Portraits: a photo in, its face found, levelled, cropped, cut out and printed.

Without a face: the photo's middle square, not cut out (the segmentation is only trained on people), and `face: null`.
"""

from functools import partial

from services.avatar.clock import Clock
from services.avatar.crop import frame
from services.avatar.decode import Photo, decode
from services.avatar.drafts import Commission, Draft
from services.avatar.faces import Face, find_face, models
from services.avatar.inference import load_model
from services.avatar.matte import SEGMENTATION, cut_out, outline
from services.avatar.pictures import PrintedPicture
from services.avatar.prints import PALETTES, PRINT_NAMES, PRINTS, SOFT_EDGED, Palette, Subject, lay
from services.avatar.styles import Rights, require_style
from services.avatar.tone import measure
from services.avatar.workshop import Workshop
from shared.contracts.avatar import FaceBox, GenerateAvatar
from shared.errors import PermanentError

_LEAST_EDGE = 384
"""Smaller avatars are printed at this edge and reduced: the prints' dots and edges need room."""


def load() -> None:
    """The models, each run once, and the decoders.

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    import numpy as np  # noqa: PLC0415 - heavy; never in the worker's parent
    import pi_heif  # noqa: F401, PLC0415 - imported for the import's sake, here and in the next line
    from PIL import Image, ImageCms, ImageOps  # noqa: F401, PLC0415

    for model in (*models(), load_model(SEGMENTATION)):
        model.run(np.zeros((model.edge, model.edge, 3), dtype=np.float32))


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Read the photo, find the person, and plan the prints.

    Raises:
        PermanentError: the photo is refused (see `decode`), the style unknown, or the format `svg`.
    """
    settings, clock = workshop.settings, workshop.clock
    style = require_style(command.style or settings.portrait_style, PRINT_NAMES)
    if "svg" in command.kinds():
        raise PermanentError(
            "A portrait is made of pixels: ask for png, webp, avif or jpeg.",
            type="unsupported-format",
            pointer="/formats" if command.formats else "/format",
        )
    if command.style_options:
        raise PermanentError("This style has no options.", type="invalid-style-option", pointer="/style_options")
    limits = {"max_bytes": settings.max_photo_bytes, "max_pixels": settings.max_photo_pixels, "working_edge": settings.working_edge}
    with clock.stage("decode"):
        decoded = decode(workshop.files[str(command.photo)], **limits)
    with clock.stage("detect"):
        face = find_face(decoded.pixels)
    subject = _pose(decoded, face, max(*command.edges(), _LEAST_EDGE), clock)
    first = (command.random_seed or 0) % len(PALETTES)
    palettes = [PALETTES[(first + number) % len(PALETTES)] for number in range(command.variants)]
    drafts = [Draft(style, Rights(), partial(_print, style, subject, palette, command=command, clock=clock)) for palette in palettes]
    return Commission("portrait", drafts, face=_face_box(decoded, face))


def _pose(photo: Photo, face: Face | None, edge: int, clock: Clock) -> Subject:
    with clock.stage("crop"):
        crop = frame(photo.pixels, face, edge)
    with clock.stage("matte"):
        matte = cut_out(crop) if face else crop.valid
    with clock.stage("tone"):
        return Subject(crop, matte, outline(matte), measure(crop, matte))


def _print(style: str, subject: Subject, palette: Palette, *, command: GenerateAvatar, clock: Clock) -> PrintedPicture:
    ground = command.background or palette.ground
    with clock.stage("draw"):
        matte = subject.matte if style in SOFT_EDGED else subject.outline
        pixels = lay(PRINTS[style](subject, palette), matte, ground)
    return PrintedPicture(pixels, Rights(), {"palette": palette.name, "background": ground}, clock)


def _face_box(photo: Photo, face: Face | None) -> FaceBox | None:
    """The face in the file's own pixels, within the photo; what the detector imagines beyond the edge is cut off."""
    if face is None:
        return None
    height, width = photo.pixels.shape[:2]
    left, top = max(face.left, 0.0), max(face.top, 0.0)
    right, bottom = min(face.left + face.width, width), min(face.top + face.height, height)
    left, top, across, down = (round(value * photo.scale) for value in (left, top, right - left, bottom - top))
    return FaceBox(left=left, top=top, width=across, height=down, score=round(face.score, 3))
