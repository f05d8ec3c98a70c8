"""One batch: read its recipients, write each a mail, send them, take down what became of each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import structlog

from services.mailer import fates, verp
from services.mailer.content import Writer, open_content
from services.mailer.crowd import Crowd
from services.mailer.dkim import Signer
from services.mailer.dkim_keys import signer_of
from services.mailer.journal import Entry, Fate, Journal
from services.mailer.mails import Mail
from services.mailer.pacing import Pace, Rates
from services.mailer.pool import Pool, pool_of
from services.mailer.sending import WORTH_WAITING, Sender
from services.mailer.settings import MailerSettings
from services.mailer.signing import ahead
from services.mailer.sink import sink_url
from services.mailer.supply import Supply
from services.mailer.suppression import GROUP, Lookout
from services.mailer.verp import ReturnPaths
from shared.contracts.mailer import SUPPRESSIONS, BatchResult, Recipient, SendBatch
from shared.errors import JobPostponed, PermanentError
from shared.job import Job

log = structlog.get_logger()

LOST_ANSWER = "offered in an earlier attempt that ended before the server's answer; not sent again"
OPEN = Entry(None)
BREATH = 0.25
"""Seconds for which a batch that waits for its rates lets others go."""


@dataclass(slots=True)
class Batch:
    """A batch at work."""

    command: SendBatch
    job: Job
    writer: Writer
    out: fates.FateFiles
    settings: MailerSettings
    pool: Pool
    lookout: Lookout
    signer: Signer | None = None
    paths: ReturnPaths | None = None
    done: int = 0

    def send(self, lines: Iterator[bytes], sender: str) -> None:
        """Send to all whom the journal does not know. Raises as `Sender.run`."""
        with Journal(self.job.effects(), self.settings.connections) as journal:
            pool, throttles = self.pool, self.job.throttles()
            server = pool.breaker.order()[0]
            supply = Supply(wanted=self._wanted)
            supply.mails = self._mails(lines, journal, supply)
            work = Sender(
                supply=supply,
                sender=sender,
                journal=journal,
                record=self._record,
                settings=self.settings,
                pace=Pace(self._rates(), throttles, urgent=self.job.priority == "high"),
                crowd=Crowd(self.settings.connections, throttles, f"{server.host}:{server.port}"),
                pool=pool,
                resend=self._sends_again,
            )
            pool.run(work.run(partial(self._watch, work.pace)))

    @property
    def _sends_again(self) -> bool:
        """Those of whom nobody knows; a dry run's have nothing twice."""
        return self.command.on_unknown == "resend" or self.command.dry_run

    def _rates(self) -> Rates:
        if self.command.dry_run:
            return Rates(self.settings)
        return Rates(self.settings, mailing=self.command.mailing, tenant=self.job.tenant, per_second=self.command.rate_per_second)

    def _watch(self, pace: Pace) -> None:
        """Stop where the job is to stop or is paused, make room for a password reset behind a newsletter; the journal knows who is done."""
        self._tell()
        self.job.checkpoint()
        if self.job.outranked():
            raise JobPostponed("it is paused, or an urgent mailing goes first", seconds=0.0)
        if pace.holds_back and self.job.awaited():
            raise JobPostponed("others go while this mailing waits for its rates", seconds=BREATH)

    def _recipients(self, lines: Iterator[bytes]) -> Iterator[tuple[Recipient, str, str]]:
        while group := [Recipient.model_validate_json(line) for line in islice(lines, GROUP)]:
            self.job.checkpoint()
            known = [(recipient, *self.writer.key(recipient)) for recipient in group]
            self.lookout.expect(address for _, _, address in known)
            yield from known

    def _suppressed(self, email: str, key: str, address: str) -> bool:
        """Is this one not to be mailed? The last thing that is asked before a mail goes out; who is not is taken down."""
        why = self.lookout.why(address)
        if why:
            self._take_down(email, "suppressed", why, key, time.time())
        return bool(why)

    def _wanted(self, mail: Mail) -> bool:
        return not self._suppressed(mail.email, mail.key, mail.address)

    def _mails(self, lines: Iterator[bytes], journal: Journal, supply: Supply) -> Iterator[Mail]:
        """Mails ready to go."""
        drafts = self._drafts(lines, journal, supply)
        return map(self._finished, drafts) if self.signer is None else ahead(drafts, self._finished)

    def _drafts(self, lines: Iterator[bytes], journal: Journal, supply: Supply) -> Iterator[Mail]:
        """The mails of those who are still open, not signed yet."""
        soon = time.time() + WORTH_WAITING
        for recipient, key, address in self._recipients(lines):
            before = journal.before.get(key, OPEN)
            again = before.fate == "unknown" and self._sends_again
            if before.fate is not None and not again:
                self._take_down(recipient.email, before.fate, before.reply or LOST_ANSWER, key, before.at, resent=before.resent)
                continue
            if before.due > soon:
                supply.set_aside(before.due)
                continue
            if self.lookout.known(address) and self._suppressed(recipient.email, key, address):
                continue
            message = self._written(recipient, key, address)
            if message is not None:
                resent = again or before.resent
                since = before.at if before.tries else 0.0
                back = self.paths.address(self.command.mailing, key) if self.paths else ""
                yield Mail(key, recipient.email, address, message, before.tries, since, before.due, before.reply, resent, back)

    def _finished(self, mail: Mail) -> Mail:
        """Signed, and as DATA wants it. For any thread."""
        message = mail.stuffed if self.signer is None else self.signer.signed(mail.stuffed)
        mail.stuffed = self.writer.skeleton.for_data(message)
        return mail

    def _written(self, recipient: Recipient, key: str, address: str) -> bytes | None:
        """The message; None where it cannot be written for this recipient, which is taken down as failed."""
        try:
            return self.writer.write(recipient, key, address)
        except ValueError as error:
            self._take_down(recipient.email, "failed", f"not sent: {error}", key, time.time())
            return None

    def _record(self, mail: Mail, fate: Fate, reply: str) -> None:
        self._take_down(mail.email, fate, reply, mail.key, time.time(), resent=mail.resent)

    def _take_down(self, email: str, state: fates.State, reply: str, key: str, at: float, *, resent: bool = False) -> None:
        message_id = self.writer.skeleton.message_id(key)
        if self.command.dry_run and state == "sent":
            state = "rendered"
        self.out.add(email=email, state=state, reply=reply, message_id=message_id, at=at, resent=resent)
        self.done += 1
        if self.done == 1:  # a batch may be over before anybody looks, and the mailing is to say that it sends
            self._tell()

    def _tell(self) -> None:
        total = max(self.command.count, self.done, 1)
        self.job.progress(self.done / total, "send", f"{self.done} of {total}")


def send_batch(command: SendBatch, job: Job, settings: MailerSettings) -> BatchResult:
    """Mail one batch. A later attempt goes on where this one ended.

    Raises `TransientError` where the relay cannot be used, `JobPostponed` where all that is left is due later, and
    `PermanentError` where a human is to say what becomes of the unknown.
    """
    started = time.monotonic()
    early = command.not_before - time.time()
    if early > WORTH_WAITING and not command.dry_run:
        raise JobPostponed("at the mailing's rate this batch's turn comes later", seconds=early)
    content, writer = open_content(command.content, command.mailing, job)
    with fates.FateFiles(job.workdir) as out, job.open(command.recipients) as recipients, _pool(command, settings) as (used, pool):
        lookout = Lookout(job.register(SUPPRESSIONS), transactional=command.transactional)
        paths = ReturnPaths(job.secret(verp.SECRET), settings.bounce_address) if settings.bounce_address else None
        batch = Batch(command, job, writer, out, used, pool, lookout, signer_of(content.sender.email, settings), paths)
        _run(batch, recipients, content.sender.email)
    counts = {name: out.counts[name] for name in (*fates.STATES, "resent")}
    log.info("mail_batch_finished", number=command.number, seconds=round(time.monotonic() - started, 3), **counts)
    if out.counts["unknown"] and command.on_unknown == "ask":
        raise PermanentError(
            f"{out.counts['unknown']} recipients may or may not have the mail; retry the mailing with on_unknown skip or resend",
            type="unknown-recipients",
        )
    out.publish(job)
    plan = {"planned_at": command.planned_at, "rejected_rows": command.rejected_rows, "rejected": command.rejected}
    return BatchResult.model_validate({**counts, **plan})


def _run(batch: Batch, recipients: Path, sender: str) -> None:
    with recipients.open("rb") as lines:
        batch.send(lines, sender)


@contextmanager
def _pool(command: SendBatch, settings: MailerSettings) -> Iterator[tuple[MailerSettings, Pool]]:
    """The connections to use; of a dry run to the sink, all rates off, and closed afterwards: the real ones wait for the next batch."""
    if not command.dry_run:
        yield settings, pool_of(settings)
        return
    off = {"smtp_url": sink_url(), "smtp_token_file": None, "server_rate": None, "tenant_rate": None, "site_rates": ""}
    dry = settings.model_copy(update=off)
    pool = Pool(dry)
    try:
        yield dry, pool
    finally:
        pool.close()
