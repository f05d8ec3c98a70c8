"""The mailer's commands, one thin function each."""

from collections.abc import Mapping

from services.mailer.batch import send_batch as send_one_batch
from services.mailer.bouncing import collect
from services.mailer.concluding import conclude
from services.mailer.planning import plan_mailing
from services.mailer.previewing import preview
from services.mailer.settings import settings
from shared.contracts.mailer import (
    BatchResult,
    BouncesResult,
    CollectBounces,
    MailingResult,
    PreviewMailing,
    SendBatch,
    SendMailing,
)
from shared.contracts.mailer_preview import PreviewResult
from shared.job import FanOut, Job
from shared.service import Handler
from shared.telemetry import step


def send_mailing(command: SendMailing, job: Job) -> MailingResult | FanOut:
    """Plan the mailing and fan out; called again when all batches have ended, to add up."""
    children = job.children()
    if children is None:
        with step("plan mailing"):
            return plan_mailing(command, job, settings())
    with step("conclude mailing"):
        return conclude(command, job, children)


def preview_mailing(command: PreviewMailing, job: Job) -> PreviewResult:
    """Show the mail of one recipient."""
    return preview(command, job, settings())


def send_batch(command: SendBatch, job: Job) -> BatchResult:
    """Mail one batch of a mailing."""
    with step("send batch", **{"counterfoil.batch": command.number}):
        return send_one_batch(command, job, settings())


def collect_bounces(command: CollectBounces, job: Job) -> BouncesResult:
    """Act on the bounces that have come in."""
    with step("collect bounces"):
        return collect(command, job, settings())


HANDLERS: Mapping[str, Handler] = {
    SendMailing.kind: send_mailing,
    PreviewMailing.kind: preview_mailing,
    SendBatch.kind: send_batch,
    CollectBounces.kind: collect_bounces,
}
