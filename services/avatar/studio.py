"""Draws a commission: variant after variant, each file published as it is done, with a look for a cancel in between."""

from collections.abc import Callable, Iterator, Sequence

import structlog

from services.avatar.clock import Clock
from services.avatar.content import RefusedPictureError
from services.avatar.drafts import Commission, Draft, Picture
from services.avatar.raster import MEDIA_TYPES, RenderError
from shared.contracts.avatar import AvatarResult, FailedVariant, Format, Output, Variant
from shared.errors import PermanentError
from shared.job import Checkpoint, Progress

log = structlog.get_logger()

_FAULTS = (RenderError, ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""What one picture may fail by: `RenderError`, and a fault of ours or a library's. Whatever ends or postpones a job is none of these."""

Publish = Callable[[str, bytes, str], object]
"""`publish(name, data, media_type)`."""


def paint(
    commission: Commission,
    sizes: Sequence[int],
    formats: Sequence[Format],
    *,
    clock: Clock,
    publish: Publish,
    progress: Progress,
    checkpoint: Checkpoint,
) -> AvatarResult:
    """Draw every draft and publish it in every size and format: `avatar-1.png`, or with several sizes `avatar-1-512.png`.

    A variant that cannot be drawn, or a file that cannot be written, is left out and named in `failed`; its number is not given to another.

    Raises:
        PermanentError: `render-failed`, when not one file could be made; `content-refused`, where it was for the content policy alone.
        Exception: nothing could be made, and an error that nobody foresaw was among the reasons: that one, for another try.
        JobCanceled: the user cancelled between two files.
    """
    variants: list[Variant] = []
    failed: list[FailedVariant] = []
    causes: list[Exception] = []
    total = len(commission.drafts)
    for number, draft in enumerate(commission.drafts, start=1):
        checkpoint()
        if not commission.tells_progress:
            progress((number - 1) / total, "draw", f"variant {number} of {total}")
        try:
            picture = draft.draw()
        except _FAULTS as error:
            causes.append(error)
            failed.append(_failure(number, draft, error))
            continue
        outputs: list[Output] = []
        for output in files(number, sizes, formats):
            if outputs:
                checkpoint()
            try:
                data = picture.file(output.size or sizes[0], output.format)
            except _FAULTS as error:
                causes.append(error)
                failed.append(_failure(number, draft, error, output.artifact))
                continue
            with clock.stage("publish"):
                publish(output.artifact, data, MEDIA_TYPES[output.format])
            outputs.append(output)
        if outputs:
            variants.append(_variant(outputs, draft, picture))
    if not variants:
        raise _nothing_made(causes)
    progress(1.0, "draw", f"{len(variants)} of {total} drawn")
    return AvatarResult(
        engine=commission.engine,
        variants=variants,
        failed=failed,
        understood=commission.understood,
        ignored=commission.ignored,
        unsupported=commission.unsupported,
        face=commission.face,
        suggested=commission.suggested,
        degraded=commission.degraded_reason is not None,
        degraded_reason=commission.degraded_reason,
        timings_ms=clock.milliseconds(),
    )


def files(number: int, sizes: Sequence[int], formats: Sequence[Format]) -> Iterator[Output]:
    """The files of variant `number`; a vector graphic has no size and comes once."""
    for fmt in formats:
        if fmt == "svg":
            yield Output(artifact=f"avatar-{number}.svg", format=fmt)
            continue
        for size in sizes:
            suffix = f"-{size}" if len(sizes) > 1 else ""
            yield Output(artifact=f"avatar-{number}{suffix}.{fmt}", format=fmt, size=size)


def _nothing_made(causes: Sequence[Exception]) -> Exception:
    if unforeseen := [cause for cause in causes if not isinstance(cause, RenderError)]:
        return unforeseen[0]
    kind = "content-refused" if all(isinstance(cause, RefusedPictureError) for cause in causes) else "render-failed"
    return PermanentError(f"No picture could be rendered: {causes[0]}", type=kind)


def _failure(number: int, draft: Draft, error: Exception, artifact: str | None = None) -> FailedVariant:
    """The text of an error that nobody foresaw stays in the log, for it may hold anything."""
    if isinstance(error, RenderError):
        reason = str(error)
        log.warning("variant_failed", number=number, style=draft.style, artifact=artifact, reason=reason)
    else:
        reason = "it could not be drawn; the service's log says why"
        log.error("variant_broke", number=number, style=draft.style, artifact=artifact, exc_info=error)
    return FailedVariant(number=number, style=draft.style, reason=reason, artifact=artifact)


def _variant(outputs: list[Output], draft: Draft, picture: Picture) -> Variant:
    return Variant(
        artifact=outputs[0].artifact,
        outputs=outputs,
        style=draft.style,
        seed=draft.seed,
        options=picture.options,
        licence=draft.rights.licence,
        licence_url=draft.rights.licence_url,
        attribution=draft.rights.attribution,
        undrawn=list(draft.undrawn),
    )
