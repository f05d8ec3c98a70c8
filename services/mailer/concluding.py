"""A mailing's end: the batches' parts become one `recipients.csv` and the counts.

A batch that failed left no part behind. Its recipients are read again from the mailing's own rows (the plan is
deterministic), and the batch's ack journal says whom the relay had taken before it failed; all others are `failed` with the
batch's reason. So nobody is ever missing from the file.
"""

import time
from collections.abc import Sequence
from contextlib import closing

import structlog

from services.mailer import fates
from services.mailer.addresses import normalise
from services.mailer.batch import LOST_ANSWER
from services.mailer.journal import Entry, path_of, read
from services.mailer.mime import message_key
from services.mailer.planning import REJECTED, RejectedFile, batch_of, rows
from services.mailer.rows import Rejected, Row
from services.mailer.settings import MailerSettings
from shared.contracts.base import Artifact, Blob
from shared.contracts.mailer import BatchResult, MailingResult, SendMailing
from shared.job import ChildResult, Job

log = structlog.get_logger()


STATES: tuple[fates.State, ...] = ("sent", "failed", "unknown", "rendered")


def conclude(command: SendMailing, job: Job, children: Sequence[ChildResult], settings: MailerSettings) -> MailingResult:
    """Publish `recipients.csv` and `rejected.csv`, and add up."""
    results = [BatchResult.model_validate(child.result) for child in children if child.result is not None]
    started = min((result.planned_at for result in results if result.planned_at), default=time.time())
    path = job.workdir / fates.NAME
    with fates.FateFile(path) as out:
        lost = _join(children, job, out)
        rejected = _account_for(lost, command, job, settings, out) if lost else _pass_on_rejected(results[0], job)
    job.publish(fates.NAME, path, fates.MEDIA_TYPE)
    counts = out.counts
    seconds = max(time.time() - started, 0.001)
    log.info("mailing_finished", **counts, batches=len(children), failed_batches=len(lost))
    return MailingResult(
        recipients=counts.total(),
        **{state: counts[state] for state in STATES},
        rejected_rows=rejected,
        batches=len(children),
        dry_run=command.dry_run,
        seconds=round(seconds, 3),
        per_second=round((counts["sent"] + counts["rendered"]) / seconds, 1),
    )


def _join(children: Sequence[ChildResult], job: Job, out: fates.FateFile) -> dict[int, ChildResult]:
    """Append each batch's part and its counts; the batches that left none, by number."""
    lost: dict[int, ChildResult] = {}
    for number, child in enumerate(children):
        part = _part_of(child)
        if part is None:
            lost[number] = child
            continue
        with job.open(Blob(key=part.key, bytes=part.bytes, sha256=part.sha256)) as rows_of_batch:
            out.append(rows_of_batch)
        result = BatchResult.model_validate(child.result)
        out.counts.update({state: getattr(result, state) for state in STATES})
    return lost


def _pass_on_rejected(result: BatchResult, job: Job) -> int:
    """Publish the plan's rejected rows, which every batch's result points to; how many there are."""
    if result.rejected is not None:
        with job.open(result.rejected) as path:
            job.publish(REJECTED, path, fates.MEDIA_TYPE)
    return result.rejected_rows


def _part_of(child: ChildResult) -> Artifact | None:
    if child.result is None:
        return None
    return next((artifact for artifact in child.artifacts if artifact.name == fates.NAME), None)


def _account_for(lost: dict[int, ChildResult], command: SendMailing, job: Job, settings: MailerSettings, out: fates.FateFile) -> int:
    """Write the rows of batches without a part, and the rejected rows once more; the number of the latter."""
    journals = {number: read(path_of(settings.journals, child.id)) for number, child in lost.items()}
    domain = normalise(command.sender.email).rpartition("@")[2]
    rejected = RejectedFile(job.workdir / REJECTED)
    index = 0
    with closing(rejected):
        for row in rows(command, job):
            if isinstance(row, Rejected):
                rejected.add(row)
                continue
            number, index = batch_of(command, index), index + 1
            if number in lost:
                key = message_key(job.id, row.address)
                entry = journals[number].get(key)
                _write_down(row, entry, lost[number], f"<{key}@{domain}>", out)
    if rejected.count:
        job.publish(REJECTED, rejected.path, fates.MEDIA_TYPE)
    return rejected.count


def _write_down(row: Row, entry: Entry | None, child: ChildResult, message_id: str, out: fates.FateFile) -> None:
    email = row.recipient.email
    if entry is not None and entry.fate is not None:
        out.add(email=email, state=entry.fate, reply=entry.reply or LOST_ANSWER, message_id=message_id, at=entry.at)
    else:
        out.add(email=email, state="failed", reply=f"not sent: {_reason(child)}", message_id=message_id, at=time.time())


def _reason(child: ChildResult) -> str:
    error = child.error or {}
    return f"the batch {child.state}: {error.get('detail') or error.get('title') or 'no reason was given'}"
