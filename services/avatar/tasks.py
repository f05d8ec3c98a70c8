"""The avatar service's one command."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from services.avatar.engines import plan
from services.avatar.settings import settings
from services.avatar.studio import paint
from services.avatar.workshop import Workshop
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.job import Job
from shared.service import Handler


def generate(command: GenerateAvatar, job: Job) -> AvatarResult:
    """Draw the avatars and publish them as `avatar-1.…`, `avatar-2.…`.

    Raises:
        PermanentError: the photo, the style, an option or the format cannot be used; says which and what to do.
    """
    job.progress(0.0, "prepare")
    with ExitStack() as opened:
        uploads = [upload for upload in (command.photo, command.style_picture) if upload]
        files = {upload: opened.enter_context(job.open(job.input(upload))) for upload in uploads}
        workshop = Workshop(settings(), files=files, progress=job.progress, checkpoint=job.checkpoint)
        commission = plan(command, workshop)
    return paint(
        commission,
        command.edges(),
        command.kinds(),
        clock=workshop.clock,
        publish=partial(job.publish, at_once=True),
        progress=job.progress,
        checkpoint=job.checkpoint,
    )


HANDLERS: Mapping[str, Handler] = {GenerateAvatar.kind: generate}
