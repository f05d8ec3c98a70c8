"""The avatar service's one command."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from services.avatar.clock import Clock
from services.avatar.engines import model_of, plan
from services.avatar.raster import MEDIA_TYPES
from services.avatar.settings import settings
from services.avatar.shelf import Shelf, digest_of
from services.avatar.studio import paint
from services.avatar.workshop import Workshop
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.job import Job
from shared.service import Handler


def generate(command: GenerateAvatar, job: Job) -> AvatarResult:
    """`make`, or what it made when the same was asked before; who asks while it is being made waits for it.

    Raises:
        PermanentError: as `make`.
    """
    chosen = settings()
    if not chosen.cache_bytes:
        return make(command, job)
    job.progress(0.0, "prepare")
    shelf = Shelf(chosen.home / "cache" / "avatar", chosen.cache_bytes, chosen.cache_hours * 3600)
    with ExitStack() as opened:
        digest = digest_of(command, _uploads(command, job, opened), job.tenant, model_of(command))
        clock = _clock(job)
        with clock.stage("wait"):
            entry = opened.enter_context(shelf.place(digest, job.checkpoint))
        if (kept := shelf.take(entry)) is not None:
            with clock.stage("publish"):
                for variant in kept.variants:
                    for output in variant.outputs:
                        job.publish(output.artifact, entry / output.artifact, MEDIA_TYPES[output.format], at_once=True)
            return kept.model_copy(update={"cached": True, "timings_ms": clock.milliseconds()})
        made: dict[str, bytes] = {}
        result = make(command, job, made)
        shelf.put(entry, result, made)
        return result


def make(command: GenerateAvatar, job: Job, made: dict[str, bytes] | None = None) -> AvatarResult:
    """Draw the avatars and publish them as `avatar-1.…`, `avatar-2.…`; into `made` go their bytes, by name.

    Raises:
        PermanentError: the photo, the style, an option or the format cannot be used; says which and what to do.
    """
    job.progress(0.0, "prepare")
    with ExitStack() as opened:
        files = _uploads(command, job, opened)
        workshop = Workshop(settings(), _clock(job), files, job.progress, job.checkpoint, job.need)
        commission = plan(command, workshop)

    def publish(name: str, data: bytes, media_type: str) -> None:
        job.publish(name, data, media_type, at_once=True)
        if made is not None:
            made[name] = data

    return paint(
        commission,
        command.edges(),
        command.kinds(),
        clock=workshop.clock,
        publish=publish,
        progress=job.progress,
        checkpoint=job.checkpoint,
    )


def _clock(job: Job) -> Clock:
    """A clock that knows what the job has waited for a worker."""
    clock = Clock()
    clock.note("queue", job.waited)
    return clock


def _uploads(command: GenerateAvatar, job: Job, opened: ExitStack) -> dict[str, Path]:
    """The command's uploads as local files, for as long as `opened` is."""
    uploads = [upload for upload in (command.photo, command.style_picture) if upload]
    return {upload: opened.enter_context(job.open(job.input(upload))) for upload in uploads}


HANDLERS: Mapping[str, Handler] = {GenerateAvatar.kind: generate}
