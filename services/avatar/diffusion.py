"""Diffusion: a prompt, with or without a photo to begin from, painted by a model on a card. For workers that serve `avatar.gpu`.

Which model, and whether there is any, is the worker's to say (`pipelines.painter`). Where there is none, the command fails as
`diffusion-unavailable`, or, if it may be degraded, another engine stands in (`engines.plan`).
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from services.avatar.batches import Batches, CardFullError, OnStep, no_room
from services.avatar.clock import Clock
from services.avatar.content import check_picture
from services.avatar.crop import frame
from services.avatar.drafts import Commission, Draft
from services.avatar.faces import find_face
from services.avatar.illustrated import derived_seed
from services.avatar.photos import decoded, face_box
from services.avatar.pictures import PrintedPicture
from services.avatar.pipelines import Painter, Wish, painter
from services.avatar.settings import settings
from services.avatar.styles import Rights
from services.avatar.workshop import Workshop
from shared.contracts.avatar import FaceBox, GenerateAvatar
from shared.errors import PermanentError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

UNAVAILABLE: Final = "diffusion-unavailable"
STANDS_IN_FOR: Final = frozenset({UNAVAILABLE, "gpu-memory"})
"""The failures for which another engine may stand in."""
_STRENGTH = 0.6
_SEEDS = 2**63


def load() -> None:
    """The model, once per process, in a worker that serves `avatar.gpu`.

    Raises:
        SettingsError: see `painter`.
    """
    painter(settings())


def ready(workshop: Workshop) -> Painter:
    """This worker's model.

    A job that came by an ordinary queue gets none, though this machine may have one: each of the pool's children would load its own.

    Raises:
        PermanentError: `diffusion-unavailable`, which says what is missing; `gpu-memory`: the model does not fit the card.
        TransientError: `gpu-memory`: others hold the card.
    """
    if workshop.need is None:
        raise PermanentError("No worker with a GPU was at work when the job was accepted.", type=UNAVAILABLE, pointer="/engine")
    try:
        with workshop.clock.stage("load"):
            return painter(workshop.settings)
    except SettingsError as missing:
        raise PermanentError(str(missing), type=UNAVAILABLE, pointer="/engine") from missing
    except CardFullError as full:
        raise no_room(full.room, "The model") from full


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Paint the first batch, and plan the others.

    Raises:
        PermanentError: `diffusion-unavailable`, `gpu-memory`, or the photo is refused (see `decode`).
        TransientError: `gpu-memory`: others hold the card.
        JobCanceled: the user cancelled between two steps.
    """
    model = ready(workshop)
    start, face = _start(command, workshop, model.edge)
    wish = _wish(command, model, start)
    seeds = seeds_of(command)

    def paint(some: "Sequence[int]", on_step: OnStep) -> "Sequence[Pixels]":
        with workshop.clock.stage("paint"):
            return model.paint(wish, some, on_step)

    batches = Batches(paint, seeds, workshop.settings.diffusion_batch, workshop.progress, workshop.checkpoint)
    batches.begin()
    name, rights, told = model.manifest.name, rights_of(model), options_of(model, wish)
    drafts = [
        Draft(name, rights, partial(_picture, batches, number, rights, {**told, "random_seed": seed}, workshop.clock))
        for number, seed in enumerate(seeds)
    ]
    return Commission("diffusion", drafts, face=face, tells_progress=True)


def seeds_of(command: GenerateAvatar) -> list[int]:
    """The noise of each variant: `random_seed` and on, else beginning with a number that the prompt stands for.

    So a variant's own number, sent back as `random_seed` for a single variant, paints it again.
    """
    first = command.random_seed
    if first is None:
        first = int(derived_seed((command.prompt or "").casefold(), 1), 16) % 2**53  # exact in JSON, also where numbers are doubles
    return [(first + number) % _SEEDS for number in range(command.variants)]


def rights_of(model: Painter) -> Rights:
    """The model's licence, for the file and the result."""
    manifest = model.manifest
    return Rights(manifest.licence, manifest.licence_url, None, f"Made with {manifest.title}, under {manifest.licence}")


def options_of(model: Painter, wish: Wish) -> dict[str, Any]:
    """What paints the same again, besides prompt, photo and seed; the model's revision is for whoever asks why it does not."""
    told: dict[str, Any] = {
        "model": model.manifest.name,
        "revision": model.manifest.revision,
        "steps": wish.steps,
        "guidance": wish.guidance,
    }
    if wish.negative is not None:
        told["negative_prompt"] = wish.negative
    if wish.start is not None:
        told["strength"] = wish.strength
    return told


def _wish(command: GenerateAvatar, model: Painter, start: "Pixels | None") -> Wish:
    return Wish(
        command.prompt or "",
        command.negative_prompt,
        command.steps or model.manifest.steps,
        model.manifest.guidance if command.guidance is None else command.guidance,
        start,
        command.strength or _STRENGTH,
    )


def _start(command: GenerateAvatar, workshop: Workshop, edge: int) -> "tuple[Pixels | None, FaceBox | None]":
    """The photo's head and shoulders, or its middle where no face is found."""
    if command.photo is None:
        return None, None
    photo = decoded(command.photo, "/photo", workshop)
    with workshop.clock.stage("detect"):
        face = find_face(photo.pixels)
    with workshop.clock.stage("crop"):
        return frame(photo.pixels, face, edge).pixels, face_box(photo, face)


def _picture(batches: Batches, number: int, rights: Rights, options: dict[str, Any], clock: Clock) -> PrintedPicture:
    pixels = batches.picture(number)
    if settings().content_threshold is not None:
        with clock.stage("policy"):
            check_picture(pixels)
    return PrintedPicture(pixels, rights, options, clock)
