"""The ack journal: what makes a crash cost no duplicate, on whatever host the rescue begins.

A batch's journal lies in the ledger (`job.effects`), fenced by the attempt's token. `offered` is noted before a body goes
out, and its end after the server's answer. Notes of all connections travel in groups: while one group is on its way the
next one gathers. An acknowledgement rides along with the next intent of its connection, so that after a SIGKILL at most one
recipient per connection is *unknown*: offered, and nobody heard the answer.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from services.mailer.hearing import heard
from shared.errors import UnavailableError
from shared.job import Effects, Note, Once

Fate = Literal["sent", "failed", "unknown"]
ENDED: dict[str, Fate] = {"A": "sent", "F": "failed"}
LINGER = 0.02
"""Seconds that an acknowledgement waits for an intent to ride along with."""
GATHER = 0.002
"""Seconds that an intent waits for those of other connections, until all are there."""
LONGEST_REPLY = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal knows of a recipient. `fate` None: still open, put off `tries` times since `since`, due again at `due`."""

    fate: Fate | None
    at: float = 0.0
    reply: str = ""
    resent: bool = False
    """Sent again after an attempt whose outcome is unknown: they may have two."""
    tries: int = 0
    due: float = 0.0


def entry_of(once: Once) -> Entry:
    """What a line of the journal says."""
    if once.fate == "unknown":
        return Entry("unknown", once.value or 0.0)
    if once.fate == "done":
        mark, at, reply, resent = once.value
        return Entry(ENDED[mark], at, reply, bool(resent))
    since, due, tries, reply, resent = once.value
    return Entry(None, since, reply, bool(resent), tries, due)


def entries(known: Mapping[str, Once]) -> dict[str, Entry]:
    """A whole journal, by recipient's key."""
    return {key: entry_of(once) for key, once in known.items()}


class Journal:
    """A batch's journal, open for writing from one event loop; `before` is what earlier attempts left.

    Raises StaleTokenError, from `offered` and `close`, where this run lost its job: then nothing more may be offered.
    """

    def __init__(self, effects: Effects, connections: int = 1) -> None:
        """Read it. `connections` is how many will write at once: half of them are a group, so that two halves take turns."""
        self._effects = effects
        self.meanwhile: Callable[[], object] = _nothing
        """Called when a group is on its way: there may be time for other things until its answer is there."""
        self._enough = max(1, connections // 2)
        self.before = entries(effects.known())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[Note] = []
        self._intents: list[asyncio.Future[None]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None

    async def offered(self, key: str) -> None:
        """The body is about to be written to the server; returns when the ledger knows it."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(Note(key, "begin", round(time.time(), 3)))
        committed = asyncio.get_running_loop().create_future()
        self._intents.append(committed)
        if len(self._intents) >= self._enough:
            self._flush_now()
        else:
            self._flush_soon(GATHER)
        await committed
        if self._failure is not None:
            raise self._failure

    def left(self, connections: int) -> None:
        """So many are still at it: nobody waits for intents that do not come."""
        self._enough = max(1, connections // 2)
        if len(self._intents) >= self._enough and self._flusher is None:
            self._flush_now()

    def accepted(self, key: str, at: float, reply: str, *, resent: bool = False) -> None:
        """The server took the mail."""
        self._ended(key, ["A", round(at, 3), _short(reply), int(resent)])

    def failed(self, key: str, at: float, reply: str, *, resent: bool = False) -> None:
        """The recipient has failed for good."""
        self._ended(key, ["F", round(at, 3), _short(reply), int(resent)])

    def deferred(self, key: str, entry: Entry) -> None:
        """The mail was not taken, and is to be offered again when it is due."""
        value = [round(entry.at, 3), round(entry.due, 3), entry.tries, _short(entry.reply), int(entry.resent)]
        self._waiting.append(Note(key, "open", value))
        self._flush_soon()

    def _ended(self, key: str, value: list[Any]) -> None:
        self._waiting.append(Note(key, "done", value))
        self._flush_soon()

    def _flush_soon(self, seconds: float = LINGER) -> None:
        if self._flusher is not None:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() > loop.time() + seconds:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_later(seconds, self._flush_now)

    def _flush_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flusher is None and self._waiting:
            self._flusher = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Write what waits, and go on while there are enough intents.

        What fails one group fails all that come after it: the order is the point.
        """
        enough = 0
        while self._waiting and self._failure is None and len(self._intents) >= enough:
            notes, self._waiting = self._waiting, []
            intents, self._intents = self._intents, []
            try:
                await self._write(notes)
            except Exception as error:  # noqa: BLE001 - it is raised where the group's intents are awaited, and by `close`
                self._failure = error
            _settle(intents)
            enough = self._enough
        if self._failure is not None:
            _settle(self._intents)
        self._flusher = None
        if self._waiting and self._failure is None:
            self._flush_soon(GATHER if self._intents else LINGER)

    async def _write(self, notes: Sequence[Note]) -> None:
        """One group. A thread, which would want the interpreter from this loop at each step, only where the ledger must be waited out."""
        try:
            coming = self._effects.post(notes)
            self.meanwhile()
            await heard(coming)
        except UnavailableError:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._effects.note, notes)

    @property
    def on_its_way(self) -> bool:
        """Does a group wait for its answer?"""
        return self._flusher is not None

    async def close(self) -> None:
        """Write what still waits. Raises what the ledger says."""
        while self._failure is None and (self._flusher is not None or self._waiting):
            self._flush_now()
            if self._flusher is not None:
                await asyncio.shield(self._flusher)
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        """The open journal."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=True)


def _settle(intents: Sequence[asyncio.Future[None]]) -> None:
    for intent in intents:
        if not intent.done():
            intent.set_result(None)


def _nothing() -> None:
    """There is nothing else to do."""


def _short(reply: str) -> str:
    return " ".join(reply.split())[:LONGEST_REPLY]
