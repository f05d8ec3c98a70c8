"""The life of a job as pure code: `(job, input, now) → (job, effects)`. No I/O, no clock, no randomness.

This is the specification. The Lua scripts in `scripts/` do the same on Redis, one script per input, and the property tests
in tests/integration/test_ledger_machine.py hold them to it. Times are Unix milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.contracts.events import EventType as E
from shared.contracts.states import TERMINAL, State
from shared.job import ChildPolicy
from shared.ledger.inputs import (
    Bury,
    Cancel,
    ChildEnded,
    Claim,
    Effect,
    Emit,
    Fail,
    Input,
    Lose,
    Postpone,
    Redrive,
    Release,
    Renew,
    Ring,
    Stopped,
    Succeed,
    Suspend,
    Tick,
)


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The machine does not take this input in this state; nothing changed. `reason` is a constant word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Job:
    """What decisions are made of. `lease` is the lease's end or None; `wait` is '', 'waiting' or 'woken' (a parent's).

    `settle`: a parent that runs once more after a cancel ('asked'), from its children's end on ('due').
    """

    state: State = State.QUEUED
    epoch: int = 1
    attempt: int = 0
    errors: int = 0
    crashes: int = 0
    token: int = 0
    lease: int | None = None
    run_at: int | None = None
    expires_at: int | None = None
    max_attempts: int | None = None
    started: bool = False
    wait: str = ""
    total: int = 0
    ok: int = 0
    bad: int = 0
    on_failure: ChildPolicy = "fail"
    settle: str = ""

    @property
    def told(self) -> State:
        """The state as its worker is told it."""
        return State.RUNNING if self.state is State.CANCELING and self.settle == "due" else self.state


Step = tuple[Job, list[Effect]]


def accepted(now: int, *, run_at: int | None = None, expires_at: int | None = None, max_attempts: int | None = None) -> Step:
    """A new job; its doorbell rings at once unless it is to run later."""
    job = Job(run_at=run_at, expires_at=expires_at, max_attempts=max_attempts)
    return job, [Emit(E.ACCEPTED)] if run_at is not None and run_at > now else [Emit(E.ACCEPTED), Ring()]


def _end(job: Job, state: State, event: E) -> Step:
    return replace(job, state=state, lease=None, wait="", run_at=None, settle=""), [Emit(event)]


def _bury(job: Job, reason: str) -> Step:
    ended, effects = _end(job, State.FAILED, E.FAILED)
    return ended, [Bury(reason), *effects]


def _queue(job: Job, *events: Emit) -> Step:
    return replace(job, state=State.QUEUED, lease=None, wait="", run_at=None), [Ring(), *events]


def _held(job: Job, token: int) -> None:
    if job.lease is None or job.token != token or job.state not in {State.RUNNING, State.CANCELING}:
        raise Refused("stale")


def _crash(job: Job, budget: int, reason: str) -> Step:
    job = replace(job, crashes=job.crashes + 1)
    if job.state is State.CANCELING and job.settle == "due" and job.crashes < budget:
        return _wake(job)
    if job.state is State.CANCELING:
        return _end(job, State.CANCELED, E.CANCELED)
    return _bury(job, reason) if job.crashes >= budget else _queue(job, Emit(E.RESCUED))


def _wake(job: Job) -> Step:
    return replace(job, lease=None, wait="woken"), [Ring()]


def _wake_if_settled(job: Job) -> Step:
    if job.wait == "waiting" and (job.ok + job.bad >= job.total or (job.bad > 0 and job.on_failure == "fail")):
        return _wake(job)
    return job, []


def _is_late(job: Job, now: int) -> bool:
    return job.state is State.QUEUED and not job.started and job.expires_at is not None and job.expires_at <= now


def _claim(job: Job, claim: Claim, now: int) -> Step:
    resumed = job.state in {State.RUNNING, State.CANCELING} and job.wait == "woken"
    if job.state is not State.QUEUED and not resumed:
        raise Refused("taken")
    if not resumed and job.run_at is not None and job.run_at > now:
        raise Refused("early")
    if _is_late(job, now):
        return _end(job, State.EXPIRED, E.EXPIRED)
    state = State.CANCELING if job.state is State.CANCELING else State.RUNNING
    settle = "due" if resumed and job.settle else job.settle
    held = replace(job, state=state, token=job.token + 1, lease=now + claim.lease_ms, wait="", started=True, settle=settle)
    return (held, []) if resumed else (replace(held, attempt=job.attempt + 1), [Emit(E.STARTED)])


def _renew(job: Job, renewal: Renew, now: int) -> Step:
    _held(job, renewal.token)
    return replace(job, lease=now + renewal.lease_ms), []


def _succeed(job: Job, success: Succeed, _now: int) -> Step:
    _held(job, success.token)
    if job.state is State.CANCELING and job.settle == "due":
        return _end(job, State.CANCELED, E.CANCELED)
    return _end(job, State.SUCCEEDED, E.SUCCEEDED)


def _fail(job: Job, failure: Fail, now: int) -> Step:
    _held(job, failure.token)
    job = replace(job, errors=job.errors + 1)
    if job.state is State.CANCELING:
        return _end(job, State.CANCELED, E.CANCELED)
    if not failure.retryable:
        return _bury(job, "permanent")
    if job.errors >= (job.max_attempts or failure.policy_attempts):
        return _bury(job, "exhausted")
    return replace(job, state=State.RETRYING, lease=None, wait="", run_at=now + failure.delay_ms), [Emit(E.RETRYING)]


def _lose(job: Job, loss: Lose, _now: int) -> Step:
    _held(job, loss.token)
    return _crash(job, loss.budget, "worker_lost")


def _release(job: Job, given_back: Release, _now: int) -> Step:
    _held(job, given_back.token)
    if job.state is State.CANCELING and job.settle == "due":
        return _wake(job)
    if job.state is State.CANCELING:
        return _end(job, State.CANCELED, E.CANCELED)
    return _queue(replace(job, attempt=job.attempt - 1), Emit(E.RESCUED))


def _postpone(job: Job, later: Postpone, now: int) -> Step:
    _held(job, later.token)
    if job.state is State.CANCELING:
        return _end(job, State.CANCELED, E.CANCELED)
    waits = replace(job, state=State.RETRYING, lease=None, wait="", attempt=job.attempt - 1, run_at=now + later.delay_ms)
    return waits, [Emit(E.RETRYING)]


def _stopped(job: Job, stop: Stopped, _now: int) -> Step:
    _held(job, stop.token)
    return _end(job, State.CANCELED, E.CANCELED)


def _cancel(job: Job, cancel: Cancel, _now: int) -> Step:
    if job.state in TERMINAL:
        raise Refused("done")
    if job.state is State.CANCELING:
        return job, []
    if job.lease is not None:
        return replace(job, state=State.CANCELING), [Emit(E.CANCELING)]
    if job.settle and job.wait:
        settled, rung = _wake_if_settled(replace(job, state=State.CANCELING, bad=job.bad + cancel.ended))
        return settled, [Emit(E.CANCELING), *rung]
    return _end(job, State.CANCELED, E.CANCELED)


def _suspend(job: Job, fan: Suspend, _now: int) -> Step:
    _held(job, fan.token)
    if job.state is State.CANCELING and not fan.settles:
        return _end(replace(job, total=fan.total, ok=fan.ok, bad=fan.bad, on_failure=fan.on_failure), State.CANCELED, E.CANCELED)
    bad = fan.bad + (fan.ended if job.state is State.CANCELING else 0)
    settle = "asked" if fan.settles else ""
    job = replace(job, lease=None, total=fan.total, ok=fan.ok, bad=bad, on_failure=fan.on_failure, settle=settle)
    return _wake_if_settled(replace(job, wait="waiting"))


def _child_ended(job: Job, child: ChildEnded, _now: int) -> Step:
    if job.state in TERMINAL:
        return job, []
    return _wake_if_settled(replace(job, ok=job.ok + child.succeeded, bad=job.bad + (not child.succeeded)))


def _tick(job: Job, tick: Tick, now: int) -> Step:
    if job.lease is not None and job.lease <= now:
        return _crash(job, tick.budget, "expired_lease")
    if _is_late(job, now):
        return _end(job, State.EXPIRED, E.EXPIRED)
    if job.state in {State.RETRYING, State.QUEUED} and job.run_at is not None and job.run_at <= now:
        return _queue(job)
    return job, []


def _redrive(job: Job, _input: Redrive, _now: int) -> Step:
    if job.state not in {State.FAILED, State.CANCELED, State.EXPIRED}:
        raise Refused("conflict")
    fresh = replace(
        job, epoch=job.epoch + 1, attempt=0, errors=0, crashes=0, started=False, expires_at=None, total=0, ok=0, bad=0, settle=""
    )
    queued, rung = _queue(fresh)
    return queued, [Emit(E.REDRIVEN), *rung]


_TABLE: Mapping[type, Callable[[Job, Any, int], Step]] = {
    Claim: _claim,
    Renew: _renew,
    Succeed: _succeed,
    Fail: _fail,
    Lose: _lose,
    Release: _release,
    Postpone: _postpone,
    Stopped: _stopped,
    Cancel: _cancel,
    Suspend: _suspend,
    ChildEnded: _child_ended,
    Tick: _tick,
    Redrive: _redrive,
}


def step(job: Job, input_: Input, now: int) -> Step:
    """One input at one moment. Raises `Refused` where the job's state does not take it; then nothing changed."""
    return _TABLE[type(input_)](job, input_, now)
