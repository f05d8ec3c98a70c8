"""A mailing's end: the batches' parts become one `recipients.csv` and the counts.

A batch that failed left no part behind. Its recipients are read again from the mailing's own rows (the plan is
deterministic), and the batch's ack journal in the ledger says whom the relay had taken before it failed; all others are `failed` with the
batch's reason, or `canceled` where the mailing was. So nobody is ever missing from the file.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

import structlog

from services.mailer import fates
from services.mailer.batch import LOST_ANSWER
from services.mailer.journal import Entry, entries
from services.mailer.mime import message_key
from services.mailer.planning import REJECTED, RejectedFile, batch_of, rows
from services.mailer.preflight import REPORT
from services.mailer.rows import Rejected, Row
from shared.contracts.base import Blob
from shared.contracts.mailer import BatchResult, MailingResult, SendMailing
from shared.contracts.mailer_preview import Preflight
from shared.contracts.states import State
from shared.errors import PermanentError
from shared.job import ChildResult, Job
from shared.mailboxes import normalise

log = structlog.get_logger()


def conclude(command: SendMailing, job: Job, children: Sequence[ChildResult]) -> MailingResult:
    """Publish `recipients.csv`, `recipients.jsonl` and `rejected.csv`, and add up.

    Raises `PermanentError` where `on_unknown` is `ask` and there is something to ask: the files are there all the same.
    """
    results = [BatchResult.model_validate(child.result) for child in children if child.result is not None]
    with fates.FateFiles(job.workdir) as out:
        lost = _join(children, job, out)
        rejected = _account_for(lost, command, job, out) if lost else _pass_on_rejected(results[0], job)
    out.publish(job, at_once=command.on_unknown == "ask")
    counts = out.counts
    started = min([result.planned_at for result in results if result.planned_at] or [out.first])
    seconds = max(time.time() - started, 0.001)
    log.info("mailing_finished", **counts, batches=len(children), failed_batches=len(lost))
    if command.on_unknown == "ask" and counts["unknown"] and not job.canceled:
        raise PermanentError(
            f"{counts['unknown']} recipients may or may not have the mail ({fates.TABLE} names them); "
            "retry the mailing with on_unknown skip or resend",
            type="unknown-recipients",
            pointer="/on_unknown",
        )
    return MailingResult(
        recipients=sum(counts[state] for state in fates.STATES),
        **{name: counts[name] for name in (*fates.STATES, "resent")},
        rejected_rows=rejected,
        batches=len(children),
        dry_run=command.dry_run,
        seconds=round(seconds, 3),
        per_second=round((counts["sent"] + counts["rendered"]) / seconds, 1),
        preflight=_report(job),
    )


def _report(job: Job) -> Preflight | None:
    """What the plan found before the first mail."""
    made = job.own_artifact(REPORT)
    if made is None:
        return None
    with job.open(made) as path:
        return Preflight.model_validate_json(path.read_bytes())


def _join(children: Sequence[ChildResult], job: Job, out: fates.FateFiles) -> dict[int, ChildResult]:
    """Append each batch's part and its counts; the batches that left none, by number."""
    lost: dict[int, ChildResult] = {}
    for number, child in enumerate(children):
        parts = _parts_of(child)
        if fates.TABLE not in parts:
            lost[number] = child
            continue
        with ExitStack() as stack:
            out.append({name: stack.enter_context(job.open(blob)) for name, blob in parts.items()})
        result = BatchResult.model_validate(child.result)
        out.counts.update({name: getattr(result, name) for name in (*fates.STATES, "resent")})
    return lost


def _pass_on_rejected(result: BatchResult, job: Job) -> int:
    """Publish the plan's rejected rows, which every batch's result points to; how many there are."""
    if result.rejected is not None:
        with job.open(result.rejected) as path:
            job.publish(REJECTED, path, "text/csv")
    return result.rejected_rows


def _parts_of(child: ChildResult) -> dict[str, Blob]:
    """The files of a batch that succeeded, by name."""
    made = child.artifacts if child.result is not None else ()
    return {each.name: Blob(key=each.key, bytes=each.bytes, sha256=each.sha256) for each in made if each.name in fates.NAMES}


def _account_for(lost: dict[int, ChildResult], command: SendMailing, job: Job, out: fates.FateFiles) -> int:
    """Write the rows of batches without a part, and the rejected rows once more; the number of the latter."""
    journals = {number: entries(job.effects_of(child)) for number, child in lost.items()}
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
                _write_down(row, entry, lost[number], f"<{key}@{domain}>", out, dry_run=command.dry_run)
    if rejected.count:
        job.publish(REJECTED, rejected.path, "text/csv")
    return rejected.count


def _write_down(row: Row, entry: Entry | None, child: ChildResult, message_id: str, out: fates.FateFiles, *, dry_run: bool) -> None:
    email = row.recipient.email
    if entry is not None and entry.fate is not None:
        reply = entry.reply or LOST_ANSWER
        state: fates.State = "rendered" if dry_run and entry.fate == "sent" else entry.fate
        out.add(email=email, state=state, reply=reply, message_id=message_id, at=entry.at, resent=entry.resent)
    elif child.state is State.CANCELED:
        out.add(email=email, state="canceled", reply="not sent: the mailing was cancelled", message_id=message_id, at=time.time())
    else:
        out.add(email=email, state="failed", reply=f"not sent: {_reason(child)}", message_id=message_id, at=time.time())


def _reason(child: ChildResult) -> str:
    error = child.error or {}
    return f"the batch {child.state}: {error.get('detail') or error.get('title') or 'no reason was given'}"
