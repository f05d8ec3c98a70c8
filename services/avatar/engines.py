"""The engines: one protocol, one entry each. The source that a command names decides which of them does its work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from services.avatar import diffusion, illustrated, lookalike, portrait, prompt
from services.avatar.drafts import Commission, EngineName
from services.avatar.loading import ready
from services.avatar.model_store import manifest_of
from services.avatar.settings import settings
from services.avatar.workshop import Load, Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import JobError, SettingsError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Engine:
    """`load` once per process, then `commission` per command: it plans pictures, each of which is drawn on its own later.

    Neither imports anything heavy before it is called. `need`: what few machines have, so that only their workers load it.
    """

    name: EngineName
    takes: Callable[[GenerateAvatar], bool]
    load: Load
    commission: Callable[[GenerateAvatar, Workshop], Commission]
    need: str | None = None


ENGINES: Sequence[Engine] = (
    Engine("diffusion", lambda command: command.engine == "diffusion", diffusion.load, diffusion.commission, "gpu"),
    Engine(
        "lookalike",
        lambda command: command.photo is not None and command.style in lookalike.LOOKALIKES,
        lookalike.load,
        lookalike.commission,
    ),
    Engine("portrait", lambda command: command.photo is not None, portrait.load, portrait.commission),
    Engine("prompt", lambda command: command.prompt is not None, prompt.load, prompt.commission),
    Engine("illustrated", lambda command: command.seed is not None, illustrated.load, illustrated.commission),
)


def plan(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """The pictures to draw for `command`, by the first engine that takes it; by another where that one cannot and `degrade` is said.

    Raises:
        PermanentError: the command cannot be drawn as it was asked for.
        TransientError: not now.
    """
    engine = next(engine for engine in ENGINES if engine.takes(command))
    try:
        if engine.need is None:
            with workshop.clock.stage("load"):
                ready(engine.load)
        return engine.commission(command, workshop)
    except JobError as error:
        if not command.degrade or error.retryable or error.type not in diffusion.STANDS_IN_FOR:
            raise
        log.warning("engine_degraded", asked=engine.name, why=error.type)
        return replace(plan(stand_in(command), workshop), degraded_reason=error.detail)


def stand_in(command: GenerateAvatar) -> GenerateAvatar:
    """What is asked of the other engines in place of diffusion: the photo, where there is one, else the prompt."""
    plain = {"engine": None, "degrade": False, "steps": None, "guidance": None, "negative_prompt": None, "strength": None}
    return command.model_copy(update={**plain, "prompt": None if command.photo else command.prompt})


def model_of(command: GenerateAvatar) -> str:
    """The diffusion model that would paint `command` here, as name and revision; empty where none would."""
    chosen = settings()
    if command.engine != "diffusion" or not chosen.diffusion_model:
        return ""
    try:
        manifest = manifest_of(chosen.models_folder, chosen.diffusion_model)
    except SettingsError:
        return ""
    return f"{manifest.name} {manifest.revision} {chosen.diffusion_edge} {manifest.steps} {manifest.guidance} {manifest.licence}"
