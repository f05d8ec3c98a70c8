"""What must always hold, kept by somebody who trusts neither machine nor ledger: his own books, one per job, checked at every step."""

from collections import Counter
from dataclasses import dataclass, field

from shared.contracts.events import EventType as E
from shared.contracts.states import TERMINAL, State
from shared.ledger.inputs import Claim, Effect, Emit, Fail, Input, Lose, Redrive, Release, Renew, Tick
from shared.ledger.machine import Job

LEASE = 15_000
BUDGET = 3
MAX_ATTEMPTS = 3
LOST = {"worker_lost", "expired_lease"}
ENDS = {E.SUCCEEDED, E.FAILED, E.CANCELED, E.EXPIRED}


class Violation(AssertionError):  # noqa: N818 - that is what it is
    """A promise was broken; the text names it."""


@dataclass(slots=True)
class Book:
    """What the referee noted of one job in its present epoch."""

    events: list[E] = field(default_factory=list)
    ended: bool = False
    holder: int | None = None
    """The token of whoever holds the job, by the referee's own reckoning."""
    alive_at: int = 0
    """When the holder was last heard of, by the ledger's clock."""
    tokens: set[int] = field(default_factory=set)
    crashes: int = 0
    errors: int = 0
    epoch: int = 1


class Referee:
    """Sees every input with the job before and after it."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.seen: Counter[str] = Counter()
        """What happened, over a schedule: a simulation that never sees a rescue proves nothing about rescues."""

    def refused(self, job_id: str, what: Input, why: str) -> None:
        """A refusal is right where the referee would have refused, too."""
        self.seen[f"{type(what).__name__}:{why}"] += 1
        token = getattr(what, "token", None)
        if token is not None and token == self.books[job_id].holder:
            raise Violation(f"L4: {job_id}: the holder's {type(what).__name__} was refused as {why}")

    def took(self, job_id: str, what: Input, before: Job, after: Job, now: int) -> None:
        """An input was taken: was it to be?"""
        book, name = self.books.setdefault(job_id, Book()), type(what).__name__
        token = getattr(what, "token", None)
        if token is not None and token != book.holder and after != before:
            raise Violation(f"L4: {job_id}: a stale {name} (token {token}, holder {book.holder}) changed the job")
        if book.ended and not isinstance(what, Redrive) and after != before:
            raise Violation(f"L2: {job_id}: {name} changed a job that was done")
        self._note(job_id, book, what, before, after, now)
        if after.lease is None:
            book.holder = None
        if after.epoch == book.epoch:
            self._budgets(job_id, book, after)

    def _note(self, job_id: str, book: Book, what: Input, before: Job, after: Job, now: int) -> None:
        match what:
            case Claim() if after.lease is not None:
                self._claimed(job_id, book, after, now)
            case Renew():
                book.alive_at = now
            case Lose():
                book.crashes += 1
            case Tick() if before.lease is not None and after.lease is None:
                if now - book.alive_at < LEASE:
                    raise Violation(f"L4: {job_id}: its lease was taken away {now - book.alive_at} ms after its holder was heard of")
                book.crashes += 1
                self.seen["lease expired"] += 1
            case Fail():
                book.errors += 1
            case Release():
                self.seen["released"] += 1
            case _:
                pass

    def _claimed(self, job_id: str, book: Book, after: Job, now: int) -> None:
        if book.holder is not None:
            raise Violation(f"L4: {job_id}: claimed while token {book.holder} holds it: two live leases")
        if after.token in book.tokens:
            raise Violation(f"L4: {job_id}: token {after.token} was given out twice")
        if after.lease != now + LEASE:
            raise Violation(f"L4: {job_id}: the lease ends at {after.lease}, by the ledger's clock it should at {now + LEASE}")
        book.tokens.add(after.token)
        book.holder, book.alive_at = after.token, now

    def _budgets(self, job_id: str, book: Book, after: Job) -> None:
        if book.crashes > BUDGET or (book.crashes == BUDGET and after.state not in TERMINAL):
            raise Violation(f"L5: {job_id}: {book.crashes} crashes and still {after.state}; the budget is {BUDGET}")
        if book.errors > MAX_ATTEMPTS:
            raise Violation(f"L5: {job_id}: {book.errors} errors; {MAX_ATTEMPTS} attempts are allowed")
        if after.attempt > book.errors + book.crashes + 1:
            raise Violation(f"L5: {job_id}: attempt {after.attempt} after {book.errors} errors and {book.crashes} crashes: one was burned")

    def told(self, job_id: str, effect: Effect, after: Job) -> None:
        """The world was told something: is it in order?"""
        book = self.books.setdefault(job_id, Book())
        if not isinstance(effect, Emit):
            reason = getattr(effect, "reason", "")
            self.seen[f"buried:{reason}" if reason else "rang"] += 1
            if reason in LOST and book.crashes < BUDGET:
                raise Violation(f"L5: {job_id}: dead-lettered as {reason} after {book.crashes} crashes; the budget is {BUDGET}")
            return
        self.seen[str(effect.type)] += 1
        if effect.type is E.REDRIVEN:
            if not book.ended:
                raise Violation(f"L2: {job_id}: a new epoch before the old one ended")
            tokens = book.tokens
            self.books[job_id] = book = Book(tokens=tokens, epoch=book.epoch + 1)
        elif book.ended:
            raise Violation(f"L7: {job_id}: {effect.type} after the terminal event")
        if not book.events and effect.type not in {E.ACCEPTED, E.REDRIVEN}:
            raise Violation(f"L7: {job_id}: its first event is {effect.type}")
        book.events.append(effect.type)
        if effect.type in ENDS:
            book.ended = True
            if after.state not in TERMINAL:
                raise Violation(f"L2: {job_id}: told of its end ({effect.type}), but it is {after.state}")

    def woke(self, job_id: str, parent: Job, states: list[State]) -> None:
        """A parent goes on: are its children settled, each counted once?"""
        ok = sum(state is State.SUCCEEDED for state in states)
        bad = sum(state in TERMINAL for state in states) - ok
        if (parent.ok, parent.bad) != (ok, bad):
            raise Violation(f"{job_id}: it counted {parent.ok} good and {parent.bad} bad children; there are {ok} and {bad}")
        if ok + bad < parent.total and not (bad and parent.on_failure == "fail"):
            raise Violation(f"{job_id}: woken with {ok + bad} of {parent.total} children done")
        self.seen["woke"] += 1

    def at_the_end(self, jobs: dict[str, Job]) -> None:
        """Calm has lasted: everything accepted is done, and was told so once."""
        for job_id, job in jobs.items():
            if job.state not in TERMINAL:
                raise Violation(f"L2: {job_id}: still {job.state} (wait {job.wait!r}) after a long calm")
            book = self.books[job_id]
            if sum(event in ENDS for event in book.events) != 1:
                raise Violation(f"L2: {job_id}: {book.events} has not exactly one terminal event")
