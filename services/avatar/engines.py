"""Which engine does a command's work: the one source it names decides."""

from pathlib import Path

from services.avatar import illustrated, portrait, prompt
from services.avatar.clock import Clock
from services.avatar.drafts import Commission
from services.avatar.settings import AvatarSettings
from shared.contracts.avatar import GenerateAvatar


def plan(command: GenerateAvatar, photo: Path | None, settings: AvatarSettings, clock: Clock) -> Commission:
    """The pictures to draw for `command`; `photo` is the local file of its photo, where it names one.

    Raises:
        PermanentError: the command cannot be drawn as it was asked for.
    """
    if photo is not None:
        return portrait.commission(command, photo, settings, clock)
    if command.prompt is not None:
        return prompt.commission(command, settings, clock)
    return illustrated.commission(command, settings, clock)
