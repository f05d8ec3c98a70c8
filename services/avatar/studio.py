"""Draws a commission: variant after variant, each published as it is done, with a look for a cancel in between."""

from collections.abc import Callable

import structlog

from services.avatar.clock import Clock
from services.avatar.drafts import Commission, Draft
from services.avatar.raster import MEDIA_TYPES, RenderError
from shared.contracts.avatar import AvatarResult, FailedVariant, Format, Variant
from shared.errors import PermanentError
from shared.job import Checkpoint, Progress

log = structlog.get_logger()

Publish = Callable[[str, bytes, str], object]
"""`publish(name, data, media_type)`."""


def paint(
    commission: Commission, fmt: Format, *, clock: Clock, publish: Publish, progress: Progress, checkpoint: Checkpoint
) -> AvatarResult:
    """Draw and publish every draft, as `avatar-1.png`, `avatar-2.png` and so on.

    A variant that cannot be rendered is left out and named in `failed`; its number is not given to another.

    Raises:
        PermanentError: `render-failed`, when not one picture could be rendered.
        JobCanceled: the user cancelled between two variants.
    """
    variants: list[Variant] = []
    failed: list[FailedVariant] = []
    total = len(commission.drafts)
    for number, draft in enumerate(commission.drafts, start=1):
        checkpoint()
        progress((number - 1) / total, "draw", f"variant {number} of {total}")
        try:
            drawn = draft.draw()
        except RenderError as error:
            log.warning("variant_failed", number=number, style=draft.style, reason=str(error))
            failed.append(FailedVariant(number=number, style=draft.style, reason=str(error)))
            continue
        name = f"avatar-{number}.{fmt}"
        with clock.stage("publish"):
            publish(name, drawn.data, MEDIA_TYPES[fmt])
        variants.append(_variant(name, draft, drawn.options))
    if not variants:
        raise PermanentError(f"No picture could be rendered: {failed[0].reason}", type="render-failed")
    progress(1.0, "draw", f"{len(variants)} of {total} drawn")
    return AvatarResult(
        engine=commission.engine,
        variants=variants,
        failed=failed,
        understood=commission.understood,
        ignored=commission.ignored,
        face=commission.face,
        timings_ms=clock.milliseconds(),
    )


def _variant(artifact: str, draft: Draft, options: dict[str, object]) -> Variant:
    return Variant(
        artifact=artifact,
        style=draft.style,
        seed=draft.seed,
        options=options,
        licence=draft.rights.licence,
        attribution=draft.rights.attribution,
        undrawn=list(draft.undrawn),
    )
