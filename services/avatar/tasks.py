"""The avatar service's one command."""

from collections.abc import Mapping
from contextlib import nullcontext

from services.avatar.clock import Clock
from services.avatar.engines import plan
from services.avatar.settings import settings
from services.avatar.studio import paint
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.job import Job
from shared.service import Handler


def generate(command: GenerateAvatar, job: Job) -> AvatarResult:
    """Draw the avatars and publish them as `avatar-1.…`, `avatar-2.…`.

    Raises:
        PermanentError: the photo, the style or the format cannot be used; says which and what to do.
    """
    clock = Clock()
    job.progress(0.0, "prepare")
    with job.open(job.input(command.photo)) if command.photo else nullcontext() as photo:
        commission = plan(command, photo, settings(), clock)
    return paint(commission, command.format, clock=clock, publish=job.publish, progress=job.progress, checkpoint=job.checkpoint)


HANDLERS: Mapping[str, Handler] = {GenerateAvatar.kind: generate}
