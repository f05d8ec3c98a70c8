"""Several connections empty one queue of mails: the mailer's sending loop.

Each connection takes a mail, offers it, and says what became of it. A 4xx puts the mail back for later, a 5xx fails it, a
connection that breaks before the body is replaced, one that breaks after it leaves the mail *unknown*. A connection that
cannot be opened retires where others still work; the last one's failure is the batch's (`TransientError`), after the mails
on the wire have had a moment to end.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import structlog

from services.mailer.connection import CLOSING, Connection, Outcome, UnknownOutcomeError
from services.mailer.journal import Fate, Journal
from services.mailer.pacing import Pace
from services.mailer.settings import MailerSettings
from services.mailer.wire import DisconnectedError
from shared.errors import TransientError

log = structlog.get_logger()

TICK = 0.2
# Mails on the wire get this long to end when the batch stops early: below the 2 s in which a cancelled job must stop.
LAST_MOMENT = 1.0
LOSSES_IN_A_ROW = 3


@dataclass(slots=True)
class Mail:
    """One mail ready to go: who it is for (as given, and on the wire), the dot-stuffed bytes, how often it was put off."""

    key: str
    email: str
    address: str
    stuffed: bytes
    put_off: int = 0


class Record(Protocol):
    """Takes down a recipient's fate."""

    def __call__(self, mail: Mail, fate: Fate, reply: str) -> None:
        """Called once for each mail."""


class Sender:
    """Sends one batch. `mails` is read as connections become free, so it may render lazily."""

    def __init__(
        self, *, mails: Iterator[Mail], sender: str, journal: Journal, record: Record, settings: MailerSettings, pace: Pace
    ) -> None:
        """Nothing is opened yet."""
        self._mails = mails
        self._sender = sender
        self._journal = journal
        self._record = record
        self._settings = settings
        self._relay = settings.relay
        self._pace = pace
        self._returned: deque[Mail] = deque()
        self._later: list[tuple[float, int, Mail]] = []
        self._deferrals = 0
        self._stopping = False
        self._alive = 0
        self._broken: BaseException | None = None

    async def run(self, watch: Callable[[], None]) -> None:
        """Send everything. `watch` is called five times a second and may raise to stop.

        Raises `TransientError` where the relay cannot be used, and what `watch` raises.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._noticed)
        self._alive = self._settings.connections
        workers = [asyncio.create_task(self._work()) for _ in range(self._alive)]
        watcher = asyncio.create_task(self._watch(watch))
        try:
            await self._until_done(workers, watcher)
        finally:
            watcher.cancel()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(watcher, *workers, return_exceptions=True)
        if self._broken is not None:
            raise self._broken

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
            watch()
            if self._broken is not None:
                raise self._broken
            await asyncio.sleep(TICK)

    def _noticed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """An exception that surfaced in one of the loop's callbacks (the platform's time limit may strike anywhere)."""
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._broken = error
        else:
            loop.default_exception_handler(context)

    async def _work(self) -> None:
        """One connection's life: open it, empty the queue over it, open it anew where it broke."""
        connection: Connection | None = None
        losses = 0
        try:
            while (mail := await self._next()) is not None:
                try:
                    connection = await self._ready(connection)
                    await self._pace.slot()
                    closing = await self._offer(connection, mail)
                    losses = 0
                except TransientError as error:
                    self._returned.append(mail)
                    self._retire(error)
                    return
                except DisconnectedError as error:
                    self._returned.append(mail)
                    connection, losses = None, losses + 1
                    if losses >= LOSSES_IN_A_ROW:
                        self._retire(TransientError(f"the mail server breaks off every connection: {error}", type="smtp-unreachable"))
                        return
                    continue
                if closing:
                    connection = None
        finally:
            self._alive -= 1
            if connection is not None:
                await connection.close(politely=not self._stopping)

    def _retire(self, error: TransientError) -> None:
        """Give up on a connection; the last one gives up on the batch."""
        log.warning("mail_connection_retired", reason=error.detail, remaining=self._alive - 1)
        if self._alive <= 1:
            raise error

    async def _next(self) -> Mail | None:
        """The next mail: a returned one, a fresh one, or one whose delay is over; None: nothing is left."""
        while not self._stopping:
            if self._returned:
                return self._returned.popleft()
            mail = next(self._mails, None)
            if mail is not None:
                return mail
            if not self._later:
                return None
            wait = self._later[0][0] - asyncio.get_running_loop().time()
            if wait <= 0:
                return heapq.heappop(self._later)[2]
            await asyncio.sleep(min(wait, TICK))
        return None

    async def _ready(self, connection: Connection | None) -> Connection:
        """A connection that may carry one more mail."""
        if connection is not None and connection.carried < self._settings.messages_per_connection:
            return connection
        if connection is not None:
            await connection.close()
        return await Connection.connect(self._relay, self._settings)

    async def _offer(self, connection: Connection, mail: Mail) -> bool:
        """Offer one mail and take down the answer; True: the connection is of no more use."""
        try:
            outcome = await connection.send(self._sender, mail.address, mail.stuffed, lambda: self._journal.offered(mail.key))
        except UnknownOutcomeError as error:
            self._record(mail, "unknown", f"the answer to the mail was lost: {error}")
            return True
        self._settle(mail, outcome)
        return outcome.reply.code == CLOSING

    def _settle(self, mail: Mail, outcome: Outcome) -> None:
        words = str(outcome.reply)
        if outcome.phase == "body" and outcome.reply.ok:
            self._journal.accepted(mail.key, words)
            self._record(mail, "sent", words)
        elif outcome.reply.transient and mail.put_off < len(self._settings.defer_delays):
            if outcome.phase == "body":
                self._journal.refused(mail.key, words)
            self._defer(mail)
        else:
            self._journal.failed(mail.key, words)
            self._record(mail, "failed", words)

    def _defer(self, mail: Mail) -> None:
        due = asyncio.get_running_loop().time() + self._settings.defer_delays[mail.put_off]
        mail.put_off += 1
        self._deferrals += 1
        heapq.heappush(self._later, (due, self._deferrals, mail))
