"""Portraits: a photo in, its face found, levelled, cropped, cut out, then printed or painted.

Without a face: the photo's middle square, not cut out (the segmentation is only trained on people), and `face: null`.
"""

from functools import partial
from typing import TYPE_CHECKING

from services.avatar import painting
from services.avatar.clock import Clock
from services.avatar.crop import frame
from services.avatar.decode import Photo
from services.avatar.drafts import Commission, Draft
from services.avatar.faces import Face, find_face
from services.avatar.lookalike import LOOKALIKES
from services.avatar.manners import PAINTING, PORTRAIT_NAMES, Manner, manners, resolved
from services.avatar.matte import cut_out, outline
from services.avatar.networks import MULTISTYLE, network
from services.avatar.photos import decoded, face_box, load_eyes
from services.avatar.pictures import PrintedPicture
from services.avatar.prints import FLAT, PRINTS, SOFT_EDGED, Subject, lay
from services.avatar.styles import Rights, require_style
from services.avatar.tone import measure
from services.avatar.tracing import trace
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

_LEAST_EDGE = 384
"""Smaller avatars are printed at this edge and reduced: the prints' dots and edges need room."""
_TRACED_EDGE = 768
"""A vector graphic is traced from a print of at least this edge."""


def load() -> None:
    """What measures a photo, and the painting network (the one for any picture is loaded when it is asked for).

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    load_eyes()
    network(MULTISTYLE)


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Read the photo, find the person, and plan the prints or paintings.

    Raises:
        PermanentError: the photo is refused (see `decode`), the style or an option unknown, or the style has no `svg`.
    """
    clock = workshop.clock
    default = PAINTING if command.style_picture else workshop.settings.portrait_style
    style = require_style(command.style or default, (*PORTRAIT_NAMES, *LOOKALIKES))
    _refuse_what_does_nothing(command, style)
    planned = manners(command, style)
    photo = decoded(command.photo, "/photo", workshop)
    with clock.stage("detect"):
        face = find_face(photo.pixels)
    subject = _pose(photo, face, max(*command.edges(), _TRACED_EDGE if "svg" in command.kinds() else _LEAST_EDGE), clock)
    vector = None
    if command.style_picture:
        picture = decoded(command.style_picture, "/style_picture", workshop)
        with clock.stage("style"):
            vector = painting.manner_of(picture.pixels)
    drafts = [Draft(style, Rights(), partial(_make, subject, manner, vector, clock)) for manner in planned]
    return Commission("portrait", drafts, face=face_box(photo, face))


def _refuse_what_does_nothing(command: GenerateAvatar, style: str) -> None:
    if "svg" in command.kinds() and style not in FLAT:
        raise PermanentError(
            f"The style {style} is made of pixels; SVG is there for {' and '.join(sorted(FLAT))}. Ask for png, webp, avif or jpeg.",
            type="unsupported-format",
            pointer="/formats" if command.formats else "/format",
        )
    if command.style_picture and style != PAINTING:
        raise PermanentError("Only a painting follows a picture: leave style out, or ask for painting.", pointer="/style_picture")


def _pose(photo: Photo, face: Face | None, edge: int, clock: Clock) -> Subject:
    with clock.stage("crop"):
        crop = frame(photo.pixels, face, edge)
    with clock.stage("matte"):
        matte = cut_out(crop) if face else crop.valid
    with clock.stage("tone"):
        return Subject(crop, matte, outline(matte), measure(crop, matte))


def _make(subject: Subject, manner: Manner, vector: "Floats | None", clock: Clock) -> PrintedPicture:
    with clock.stage("draw"):
        painted, ground = _painted(subject, manner, vector)
        ground = manner.background or ground
        matte = subject.matte if manner.style in SOFT_EDGED else subject.outline
        pixels = lay(painted, matte, ground)
    inks = [*manner.palette.inks[:: FLAT[manner.style]], *([] if ground == "transparent" else [ground])] if manner.style in FLAT else []
    graphic = partial(trace, pixels, inks) if inks else None
    return PrintedPicture(pixels, Rights(), resolved(manner, ground), clock, graphic)


def _painted(subject: Subject, manner: Manner, vector: "Floats | None") -> "tuple[Pixels, str]":
    if manner.style != PAINTING:
        return PRINTS[manner.style](subject, manner.palette), manner.palette.ground
    if vector is not None:
        painted, ground = painting.paint_like(subject, vector)
    else:
        painted, ground = painting.paint(subject, str(manner.painting))
    return painting.weaken(painted, subject, manner.strength), ground
