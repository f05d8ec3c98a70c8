"""The uploads of a command as pixels, and where a face is in the file that the user has."""

from functools import cache

from services.avatar.content import check_content, classifier
from services.avatar.decode import Limits, Photo, decode
from services.avatar.faces import Face, models
from services.avatar.inference import load_model
from services.avatar.matte import SEGMENTATION
from services.avatar.settings import settings
from services.avatar.workshop import Workshop
from shared.contracts.avatar import FaceBox


@cache
def load_eyes() -> None:
    """The decoders, and the models that look at photos, each run once.

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    import numpy as np  # noqa: PLC0415 - heavy; never in the worker's parent
    import pi_heif  # noqa: F401, PLC0415 - imported for the import's sake, here and in the next line
    from PIL import Image, ImageCms, ImageOps  # noqa: F401, PLC0415

    for model in (*models(), load_model(SEGMENTATION)):
        model.run(np.zeros((model.edge, model.edge, 3), dtype=np.float32))
    if settings().content_threshold is not None:
        classifier()


def decoded(upload: str | None, pointer: str, workshop: Workshop) -> Photo:
    """The upload that the command's field `pointer` names.

    Raises:
        PermanentError: the file is refused (see `decode`), or what it shows (see `check_content`).
    """
    chosen = workshop.settings
    with workshop.clock.stage("decode"):
        limits = Limits(chosen.max_photo_bytes, chosen.max_photo_pixels, chosen.working_edge)
        photo = decode(workshop.files[str(upload)], limits, pointer)
    if chosen.content_threshold is not None:
        with workshop.clock.stage("policy"):
            check_content(photo.pixels, pointer)
    return photo


def face_box(photo: Photo, face: Face | None) -> FaceBox | None:
    """The face in the file's own pixels, within the photo; what the detector imagines beyond the edge is cut off."""
    if face is None:
        return None
    height, width = photo.pixels.shape[:2]
    left, top = max(face.left, 0.0), max(face.top, 0.0)
    right, bottom = min(face.left + face.width, width), min(face.top + face.height, height)
    left, top, across, down = (round(value * photo.scale) for value in (left, top, right - left, bottom - top))
    return FaceBox(left=left, top=top, width=across, height=down, score=round(face.score, 3))
