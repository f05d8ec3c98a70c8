"""Several connections empty one queue of mails: the mailer's sending loop.

Each connection takes a mail, offers it, and says what became of it. A 4xx puts the mail off (in the journal, so that no
worker has to be held for it), a 5xx to the recipient or the body fails it, a 5xx to the sender stops the batch and fails
nobody. A connection that breaks before the body is replaced, one that breaks after it leaves the mail *unknown*, which
`on_unknown` answers. A connection that cannot be opened retires where others still work; the last one's failure is the
batch's (`TransientError`), after the mails on the wire have had a moment to end.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import structlog

from services.mailer.connection import CLOSING, BusyError, Connection, Envelope, Outcome, UnknownOutcomeError
from services.mailer.crowd import Crowd
from services.mailer.journal import Journal
from services.mailer.mails import Mail, Record
from services.mailer.pacing import Pace
from services.mailer.pool import Pool
from services.mailer.settings import MailerSettings
from services.mailer.supply import Supply
from services.mailer.wire import DisconnectedError
from shared.errors import JobPostponed, TransientError

log = structlog.get_logger()

Usable = Literal["announced", "yes", "no"]
"""A connection after a mail: the next envelope is on its way, it can carry another, it is of no more use."""
TICK = 0.2
# Mails on the wire get this long to end when the batch stops early: below the 2 s in which a cancelled job must stop.
LAST_MOMENT = 1.0
LOSSES_IN_A_ROW = 4
WORTH_WAITING = 3.0
"""Seconds that a worker waits for a mail that is due soon; for a later one it is not held."""


class Sender:
    """Sends one batch: what `supply` holds."""

    def __init__(
        self,
        *,
        supply: Supply,
        sender: str,
        journal: Journal,
        record: Record,
        settings: MailerSettings,
        pace: Pace,
        crowd: Crowd,
        pool: Pool,
        resend: bool = False,
    ) -> None:
        """Nothing is opened yet. `resend`: a mail whose outcome is unknown is sent again."""
        self._supply = supply
        self._sender = sender
        self._journal = journal
        self._record = record
        self._settings = settings
        self._pool = pool
        self.pace = pace
        self._resend = resend
        self._crowd = crowd
        self._held_until = 0.0
        self._stopping = False
        self._broken: BaseException | None = None

    async def run(self, watch: Callable[[], None]) -> None:
        """Send everything. `watch` is called five times a second and may raise to stop.

        Raises `TransientError` where the relay cannot be used, `JobPostponed` where all that is left is due later, and what
        `watch` and the journal raise.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._noticed)
        await asyncio.sleep(0)  # what happened to idle connections meanwhile is noticed now
        self._crowd.look()
        self._journal.meanwhile = self._make
        workers = [asyncio.create_task(self._work(number)) for number in range(self._settings.connections)]
        watcher = asyncio.create_task(self._watch(watch))
        try:
            await self._until_done(workers, watcher)
        finally:
            watcher.cancel()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(watcher, *workers, return_exceptions=True)
            self._crowd.look()
            await self._journal.close()
        if self._broken is not None:
            raise self._broken
        if self._supply.came_back:
            raise JobPostponed("the next mail's turn under its rates comes later", seconds=max(0.0, self._held_until - time.time()))
        if due := self._supply.dues:
            wait = max(WORTH_WAITING, min(due) - time.time())
            raise JobPostponed(f"{len(due)} recipients were put off by the server or wait for their site's rate", seconds=wait)

    async def _until_done(self, workers: list[asyncio.Task[None]], watcher: asyncio.Task[None]) -> None:
        pending: set[asyncio.Task[None]] = {*workers, watcher}
        while pending - {watcher}:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            failed = [task for task in done if task.exception() is not None]
            if failed:
                self._stopping = True
                if pending - {watcher}:
                    await asyncio.wait(pending - {watcher}, timeout=LAST_MOMENT)
                failed[0].result()

    async def _watch(self, watch: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(TICK)
            watch()
            self._crowd.look()
            if self._broken is not None:
                raise self._broken

    def _noticed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """An exception that surfaced in one of the loop's callbacks (the platform's time limit may strike anywhere)."""
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._broken = error
        else:
            loop.default_exception_handler(context)

    async def _work(self, number: int) -> None:
        """One connection's life: open it, empty the queue over it, open it anew where it broke."""
        connection: Connection | None = None
        losses, ahead = 0, None
        try:
            while (mail := ahead or await self._next(number)) is not None:
                ahead = None
                try:
                    connection = await self._ready(connection)
                    if not await self._may_go(connection, mail):
                        continue
                    ahead = self._ahead_of(connection)
                    usable = await self._offer(connection, mail, ahead)
                    losses = 0
                except TransientError as error:
                    self._supply.give_back(mail, ahead)
                    self._retire(number, error)
                    return
                except DisconnectedError as error:
                    self._supply.give_back(mail, ahead)
                    losses += self._broke(connection)
                    connection = ahead = None
                    if losses >= LOSSES_IN_A_ROW:
                        lost = TransientError(f"the mail server breaks off every connection: {error}", type="smtp-unreachable")
                        self._retire(number, lost)
                        return
                    continue
                if usable != "announced":
                    self._supply.give_back(ahead)
                    ahead = None
                if usable == "no":
                    connection = None
        finally:
            self._journal.left(self._crowd.leave(number))
            if connection is not None:
                await (connection.close(politely=False) if self._stopping or ahead else self._pool.give(connection))

    def _broke(self, connection: Connection | None) -> bool:
        """Does the loss of this connection say something about the server?"""
        if connection is None or connection.reused:
            return False
        if connection.carried == 0:
            self._pool.breaker.broke(connection.relay)
        return True

    async def _may_go(self, connection: Connection, mail: Mail) -> bool:
        """Wait for a slot under the mail's rates; False: it went back to wait longer, for its site's alone or with all others."""
        if not self.pace.paces:
            return True
        turn = None if mail.turn else self.pace.turn(mail.address)
        again = await self.pace.slot(connection.relay, mail.address) if turn is None else -turn
        if again is None:
            return True
        if again < 0:
            mail.turn = True
            self._supply.put_off(mail, -again)
        else:
            self._supply.give_back_first(mail)
            self._held_until = again
        return False

    def _retire(self, number: int, error: TransientError) -> None:
        """Give up on a connection; the last one gives up on the batch. What is wrong with the account is wrong for all."""
        remaining = self._crowd.leave(number)
        if isinstance(error, BusyError):
            self._crowd.shrink()
        log.warning("mail_connection_retired", reason=error.detail, remaining=remaining)
        if not remaining or error.type == "smtp-account":
            raise error

    def _make(self) -> None:
        """Make a mail while the ledger writes, and another once whoever had an answer had its turn. What it raises, `run` does."""
        if self._stopping or self.pace.paces or not self._journal.on_its_way:
            return
        try:
            if self._supply.make(self._settings.connections):
                asyncio.get_running_loop().call_soon(self._make)
        except Exception as error:  # noqa: BLE001 - it is the batch's, not the journal's: what was offered is to be noted still
            self._broken, self._stopping = error, True

    async def _next(self, number: int) -> Mail | None:
        """The next mail, waited for where it is due soon; None: nothing is left to do for now."""
        while not self._stopping:
            held = self._held_until - time.time()
            if held > WORTH_WAITING:
                return None
            if held > 0:
                await asyncio.sleep(min(held, TICK))
                continue
            if self._crowd.admits(number):
                if (mail := self._supply.take()) is not None:
                    return mail
                due = self._supply.next_due
                if due is None or due - time.time() > WORTH_WAITING:
                    return None
            elif self._supply.exhausted and not self._supply.came_back:
                return None
            await asyncio.sleep(TICK / 4)
        return None

    def _ahead_of(self, connection: Connection) -> Mail | None:
        """The mail whose envelope may travel with the body that goes now."""
        last = connection.carried + 1 >= self._settings.messages_per_connection
        if self._stopping or last or not connection.pipelines or self.pace.paces:
            return None
        return self._supply.take()

    async def _ready(self, connection: Connection | None) -> Connection:
        """A connection that may carry one more mail."""
        if connection is not None and connection.carried < self._settings.messages_per_connection:
            return connection
        if connection is not None:
            await connection.close()
        return await self._pool.take()

    async def _offer(self, connection: Connection, mail: Mail, ahead: Mail | None) -> Usable:
        """Offer one mail and take down the answer; what the connection is good for now."""
        try:
            intent = partial(self._journal.offered, mail.key)
            outcome = await connection.send(self._envelope(mail), mail.stuffed, intent, self._envelope(ahead) if ahead else None)
        except UnknownOutcomeError as error:
            if self._resend:
                mail.resent = True
                self._supply.give_back(mail)
            else:
                self._record(mail, "unknown", f"the answer to the mail was lost: {error}")
            return "no"
        self._settle(mail, outcome)
        if outcome.phase == "body" and outcome.reply.ok:
            self._pool.breaker.took(connection.relay)
        if outcome.reply.code == CLOSING:
            return "no"
        return "announced" if outcome.phase == "body" else "yes"

    def _envelope(self, mail: Mail) -> Envelope:
        return mail.sender or self._sender, mail.address

    def _settle(self, mail: Mail, outcome: Outcome) -> None:
        words, now = str(outcome.reply), time.time()
        if outcome.reply.code == CLOSING:
            self._crowd.shrink()
        if outcome.phase == "body" and outcome.reply.ok:
            self._crowd.succeeded()
            self._journal.accepted(mail.key, now, words, resent=mail.resent)
            self._record(mail, "sent", words)
        elif outcome.phase == "mail" and not outcome.reply.transient:
            raise TransientError(f"the mail server refuses the sender: {words}", type="smtp-account")
        elif outcome.reply.transient and now - (mail.since or now) < self._settings.defer_for:
            self._put_off(mail, now, words)
        else:
            self._journal.failed(mail.key, now, words, resent=mail.resent)
            self._record(mail, "failed", words)

    def _put_off(self, mail: Mail, now: float, words: str) -> None:
        self._journal.deferred(mail.key, mail.put_off_until(now, words, self._settings.defer_delays))
        self._supply.put_off(mail, mail.due)
