"""Loads what the first job would otherwise wait for. Runs in a pool child after the fork, never in the worker's parent."""

import time

import structlog

from services.avatar.clock import Clock
from services.avatar.faces import models
from services.avatar.illustrated import draw
from services.avatar.inference import load_model
from services.avatar.matte import SEGMENTATION
from services.avatar.settings import settings
from shared.contracts.avatar import GenerateAvatar

log = structlog.get_logger()


def warm_up() -> None:
    """Import the libraries, load the three models, draw one small picture. Some 1.5 s on a slow core.

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    import numpy as np  # noqa: PLC0415 - heavy; never in the worker's parent
    import pi_heif  # noqa: F401, PLC0415 - imported for the import's sake, here and in the next line
    from PIL import Image, ImageCms, ImageOps  # noqa: F401, PLC0415

    started = time.perf_counter()
    for model in (*models(), load_model(SEGMENTATION)):
        model.run(np.zeros((model.edge, model.edge, 3), dtype=np.float32))
    draw(settings().seed_style, "warm", {}, command=GenerateAvatar(seed="warm", size=16), clock=Clock())
    log.info("avatar_warmed_up", seconds=round(time.perf_counter() - started, 3))
