"""The engines: one protocol, one entry each. The source that a command names decides which of them does its work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.avatar import illustrated, lookalike, portrait, prompt
from services.avatar.drafts import Commission, EngineName
from services.avatar.loading import ready
from services.avatar.workshop import Load, Workshop
from shared.contracts.avatar import GenerateAvatar


@dataclass(frozen=True, slots=True)
class Engine:
    """`load` once per process, then `commission` per command: it plans pictures, each of which is drawn on its own later.

    Neither imports anything heavy before it is called.
    """

    name: EngineName
    takes: Callable[[GenerateAvatar], bool]
    load: Load
    commission: Callable[[GenerateAvatar, Workshop], Commission]


ENGINES: Sequence[Engine] = (
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
    """The pictures to draw for `command`, by the first engine that takes it.

    Raises:
        PermanentError: the command cannot be drawn as it was asked for.
    """
    engine = next(engine for engine in ENGINES if engine.takes(command))
    with workshop.clock.stage("load"):
        ready(engine.load)
    return engine.commission(command, workshop)
