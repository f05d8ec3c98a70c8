"""A mailing's end: the batches' parts become one `recipients.csv` and the counts.

A batch that failed left no part behind. Its recipients are read again from the mailing's own rows (the plan is
deterministic), and the batch's ack journal says whom the relay had taken before it failed; all others are `failed` with the
batch's reason. So nobody is ever missing from the file.
"""

import time
from collections import Counter
from collections.abc import Sequence

import structlog

from services.mailer import fates
from services.mailer.addresses import normalise
from services.mailer.batch import LOST_ANSWER
from services.mailer.journal import path_of, read
from services.mailer.mime import message_key
from services.mailer.planning import batch_of, rows
from services.mailer.rows import Rejected
from services.mailer.settings import MailerSettings
from shared.contracts.base import Artifact, Blob
from shared.contracts.mailer import BatchResult, MailingResult, SendMailing
from shared.job import ChildResult, Job

log = structlog.get_logger()


def conclude(command: SendMailing, job: Job, children: Sequence[ChildResult], settings: MailerSettings) -> MailingResult:
    """Publish `recipients.csv` and add up."""
    results = [BatchResult.model_validate(child.result) for child in children if child.result is not None]
    started = min((result.planned_at for result in results if result.planned_at), default=time.time())
    rejected = max((result.rejected_rows for result in results), default=None)
    path = job.workdir / fates.NAME
    counts: Counter[str] = Counter()
    lost: dict[int, ChildResult] = {}
    with fates.FateFile(path) as out:
        for number, child in enumerate(children):
            part = _part_of(child)
            if part is None:
                lost[number] = child
                continue
            with job.open(Blob(key=part.key, bytes=part.bytes, sha256=part.sha256)) as rows_of_batch:
                out.append(rows_of_batch)
            counts.update(
                {state: number for state, number in (child.result or {}).items() if state in {"sent", "failed", "unknown", "rendered"}}
            )
        if lost:
            replayed = _account_for(lost, command, job, settings, out)
            rejected = replayed if rejected is None else rejected
    counts.update(out.counts)
    job.publish(fates.NAME, path, fates.MEDIA_TYPE)
    seconds = max(time.time() - started, 0.001)
    log.info("mailing_finished", **counts, batches=len(children), failed_batches=len(lost))
    return MailingResult(
        recipients=sum(counts.values()),
        sent=counts["sent"],
        failed=counts["failed"],
        unknown=counts["unknown"],
        rendered=counts["rendered"],
        rejected_rows=rejected or 0,
        batches=len(children),
        dry_run=command.dry_run,
        seconds=round(seconds, 3),
        per_second=round((counts["sent"] + counts["rendered"]) / seconds, 1),
    )


def _part_of(child: ChildResult) -> Artifact | None:
    if child.result is None:
        return None
    return next((artifact for artifact in child.artifacts if artifact.name == fates.NAME), None)


def _account_for(lost: dict[int, ChildResult], command: SendMailing, job: Job, settings: MailerSettings, out: fates.FateFile) -> int:
    """Write the rows of batches without a part; the number of rejected rows that passed by."""
    journals = {number: read(path_of(settings.journals, child.id)) for number, child in lost.items()}
    domain = normalise(command.sender.email).rpartition("@")[2]
    index = rejected = 0
    for row in rows(command, job):
        if isinstance(row, Rejected):
            rejected += 1
            continue
        number, index = batch_of(command, index), index + 1
        if number not in lost:
            continue
        key = message_key(job.id, row.address)
        entry = journals[number].get(key)
        state: fates.State = (entry and entry.fate) or "failed"
        reply = (entry.reply or LOST_ANSWER) if entry and entry.fate else f"not sent: {_reason(lost[number])}"
        out.add(email=row.recipient.email, state=state, reply=reply, message_id=f"<{key}@{domain}>", at=entry.at if entry else time.time())
    return rejected


def _reason(child: ChildResult) -> str:
    error = child.error or {}
    return f"the batch {child.state}: {error.get('detail') or error.get('title') or 'no reason was given'}"
