"""The life of a job, one fact a test. tests/integration/test_ledger_machine.py holds the scripts to the same machine."""

from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.events import EventType as E
from shared.contracts.states import TERMINAL, State
from shared.ledger import machine
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
    Redrive,
    Release,
    Renew,
    Ring,
    Stopped,
    Succeed,
    Suspend,
    Tick,
)
from shared.ledger.machine import Job, Refused

NOW = 1_700_000_000_000
LEASE = 15_000
QUEUED = Job()
RUNNING = Job(State.RUNNING, attempt=1, token=1, lease=NOW + LEASE, started=True)
CANCELING = replace(RUNNING, state=State.CANCELING)
RETRYING = Job(State.RETRYING, attempt=1, errors=1, token=1, run_at=NOW + 1_000, started=True)
PARENT = replace(RUNNING, lease=None, wait="waiting", total=2)
WOKEN = replace(PARENT, wait="woken", ok=2)
FAILED = Job(State.FAILED, attempt=5, errors=5, crashes=1, token=5, started=True)
DONE = [Job(state, attempt=1, token=1) for state in sorted(TERMINAL)]
ERROR = Fail(token=1, retryable=True, delay_ms=2_000, policy_attempts=5)
FAN = Suspend(token=1, total=2, on_failure="fail")


def after(job: Job, what: Input, now: int = NOW) -> tuple[State, list[Effect]]:
    """The state that an input leads to, and what the outside world is told."""
    became, effects = machine.step(job, what, now)
    return became.state, effects


@pytest.mark.parametrize(
    ("job", "what", "state", "told"),
    [
        pytest.param(RUNNING, Succeed(1), State.SUCCEEDED, [Emit(E.SUCCEEDED)], id="success"),
        pytest.param(RUNNING, ERROR, State.RETRYING, [Emit(E.RETRYING)], id="error, tries left"),
        pytest.param(replace(RUNNING, errors=4), ERROR, State.FAILED, [Bury("exhausted"), Emit(E.FAILED)], id="error, no tries left"),
        pytest.param(RUNNING, replace(ERROR, retryable=False), State.FAILED, [Bury("permanent"), Emit(E.FAILED)], id="error for good"),
        pytest.param(RUNNING, Lose(1, budget=3), State.QUEUED, [Ring(), Emit(E.RESCUED)], id="crash, budget left"),
        pytest.param(
            replace(RUNNING, crashes=2), Lose(1, budget=3), State.FAILED, [Bury("worker_lost"), Emit(E.FAILED)], id="crash, no budget left"
        ),
        pytest.param(
            replace(RUNNING, crashes=2, lease=NOW),
            Tick(budget=3),
            State.FAILED,
            [Bury("expired_lease"), Emit(E.FAILED)],
            id="lease expired, no budget",
        ),
        pytest.param(RUNNING, Release(1), State.QUEUED, [Ring(), Emit(E.RESCUED)], id="given back by a stopping worker"),
        pytest.param(CANCELING, Stopped(1), State.CANCELED, [Emit(E.CANCELED)], id="stopped on a cancel"),
        pytest.param(RUNNING, FAN, State.RUNNING, [], id="fanned out"),
    ],
)
def test_nine_ways_an_attempt_ends(job: Job, what: Input, state: State, told: list[Effect]) -> None:
    """Every way on one screen: what the job is then, and what the world hears."""
    became, effects = machine.step(job, what, NOW)

    assert (state, told) == (became.state, effects)
    assert became.lease is None


@pytest.mark.parametrize(
    ("what", "state"),
    [
        pytest.param(ERROR, State.CANCELED, id="an error"),
        pytest.param(Lose(1, budget=3), State.CANCELED, id="a crash"),
        pytest.param(Release(1), State.CANCELED, id="a stopping worker"),
        pytest.param(FAN, State.CANCELED, id="a fan-out"),
        pytest.param(Succeed(1), State.SUCCEEDED, id="success, which came first"),
    ],
)
def test_cancelled_attempt_ends_cancelled(what: Input, state: State) -> None:
    """Once a cancel was asked for, an attempt that ends without a result is not tried again."""
    assert state == after(CANCELING, what)[0]


def test_new_job_rings_at_once() -> None:
    """An accepted job is told of and its doorbell rings."""
    assert machine.accepted(NOW) == (QUEUED, [Emit(E.ACCEPTED), Ring()])


def test_delayed_job_rings_later() -> None:
    """A job with a `run_at` to come waits for the reconciler; one whose time is past does not."""
    assert machine.accepted(NOW, run_at=NOW + 1)[1] == [Emit(E.ACCEPTED)]
    assert machine.accepted(NOW, run_at=NOW)[1] == [Emit(E.ACCEPTED), Ring()]


def test_claim_starts_an_attempt() -> None:
    """A claim counts the attempt, gives a new token and a lease."""
    job, effects = machine.step(QUEUED, Claim(LEASE), NOW)

    assert (RUNNING, [Emit(E.STARTED)]) == (job, effects)


def test_woken_parent_resumes() -> None:
    """A parent whose children are done goes on under a new token; it is the same attempt, and nobody is told of a start."""
    job, effects = machine.step(WOKEN, Claim(LEASE), NOW)

    assert (State.RUNNING, 1, 2, NOW + LEASE, []) == (job.state, job.attempt, job.token, job.lease, effects)


@pytest.mark.parametrize("job", [RUNNING, CANCELING, RETRYING, PARENT, *DONE], ids=lambda job: f"{job.state}{job.wait}")
def test_repeated_doorbell_changes_nothing(job: Job) -> None:
    """Only a queued job or a woken parent can be claimed (L3, L4)."""
    with pytest.raises(Refused, match="taken"):
        machine.step(job, Claim(LEASE), NOW)


def test_early_doorbell_changes_nothing() -> None:
    """A job is not started before its `run_at`."""
    with pytest.raises(Refused, match="early"):
        machine.step(replace(QUEUED, run_at=NOW + 1), Claim(LEASE), NOW)


@pytest.mark.parametrize("what", [Claim(LEASE), Tick(budget=3)])
def test_job_not_started_in_time_expires(what: Input) -> None:
    """Whoever looks first, a worker or the reconciler, finds a job past `expires_at` expired."""
    assert after(replace(QUEUED, expires_at=NOW), what) == (State.EXPIRED, [Emit(E.EXPIRED)])


def test_started_job_does_not_expire() -> None:
    """`expires_at` is about the start: a job that was rescued, or given back with its attempt, is still done."""
    assert after(replace(QUEUED, started=True, expires_at=NOW), Claim(LEASE))[0] is State.RUNNING


@pytest.mark.parametrize(
    "what", [Renew(0, LEASE), Succeed(0), replace(ERROR, token=0), Lose(0, budget=3), Release(0), Stopped(0), replace(FAN, token=0)]
)
@pytest.mark.parametrize("job", [RUNNING, CANCELING, QUEUED, PARENT, *DONE], ids=lambda job: f"{job.state}{job.wait}")
def test_stale_token_changes_nothing(job: Job, what: Input) -> None:
    """A writer that lost its lease writes nothing, whatever it wants to write (L4)."""
    with pytest.raises(Refused, match="stale"):
        machine.step(job, what, NOW)


@pytest.mark.parametrize("job", [PARENT, *DONE], ids=lambda job: f"{job.state}{job.wait}")
def test_right_token_without_a_lease_changes_nothing(job: Job) -> None:
    """The last token of a job that is done, or asleep, is as good as a stale one."""
    with pytest.raises(Refused, match="stale"):
        machine.step(job, Succeed(job.token), NOW)


@pytest.mark.parametrize("job", [RUNNING, CANCELING], ids=["running", "canceling"])
def test_renewal_extends_the_lease(job: Job) -> None:
    """From now on, not from the lease's end."""
    assert machine.step(job, Renew(1, LEASE), NOW + 5_000) == (replace(job, lease=NOW + 5_000 + LEASE), [])


@pytest.mark.parametrize(
    ("job", "state", "told"),
    [
        (QUEUED, State.CANCELED, [Emit(E.CANCELED)]),
        (RETRYING, State.CANCELED, [Emit(E.CANCELED)]),
        (PARENT, State.CANCELED, [Emit(E.CANCELED)]),
        (RUNNING, State.CANCELING, [Emit(E.CANCELING)]),
        (CANCELING, State.CANCELING, []),
    ],
    ids=["queued", "retrying", "sleeping parent", "running", "canceling"],
)
def test_cancel(job: Job, state: State, told: list[Effect]) -> None:
    """What nobody holds is cancelled at once; what runs is asked to stop; asking again is harmless."""
    assert (state, told) == after(job, Cancel())


@pytest.mark.parametrize("job", DONE, ids=lambda job: str(job.state))
def test_done_job_cannot_be_cancelled(job: Job) -> None:
    """A terminal state is final within its epoch (L2)."""
    with pytest.raises(Refused, match="done"):
        machine.step(job, Cancel(), NOW)


def test_lease_that_ran_out_is_a_crash() -> None:
    """The reconciler takes the job back, on the crash budget and not the errors'."""
    job, effects = machine.step(RUNNING, Tick(budget=3), NOW + LEASE)

    assert (State.QUEUED, 1, 0, [Ring(), Emit(E.RESCUED)]) == (job.state, job.crashes, job.errors, effects)


def test_error_keeps_the_crash_budget_and_the_reverse() -> None:
    """Errors and crashes are counted apart; giving back counts as neither and returns the attempt (L5)."""
    erred, crashed, released = (machine.step(RUNNING, what, NOW)[0] for what in (ERROR, Lose(1, budget=3), Release(1)))

    assert [(1, 0, 1), (0, 1, 1), (0, 0, 0)] == [(job.errors, job.crashes, job.attempt) for job in (erred, crashed, released)]


def test_users_attempts_go_before_the_policys() -> None:
    """`options.max_attempts` replaces the policy's number, in either direction."""
    assert after(replace(RUNNING, max_attempts=1), ERROR)[0] is State.FAILED
    assert after(replace(RUNNING, errors=5, max_attempts=7), ERROR)[0] is State.RETRYING


def test_due_retry_rings() -> None:
    """When its time has come, and not before; nobody is told of it until it starts."""
    assert after(RETRYING, Tick(budget=3), NOW + 999) == (State.RETRYING, [])
    assert after(RETRYING, Tick(budget=3), NOW + 1_000) == (State.QUEUED, [Ring()])


@pytest.mark.parametrize("job", [QUEUED, RUNNING, PARENT, *DONE], ids=lambda job: f"{job.state}{job.wait}")
def test_look_without_a_cause_changes_nothing(job: Job) -> None:
    """The reconciler is level-triggered: where nothing is due, nothing happens."""
    assert machine.step(job, Tick(budget=3), NOW) == (job, [])


@pytest.mark.parametrize(
    ("parent", "ended", "wait"),
    [
        (PARENT, [True], "waiting"),
        (PARENT, [True, True], "woken"),
        (PARENT, [False], "woken"),
        (replace(PARENT, on_failure="count"), [False], "waiting"),
        (replace(PARENT, on_failure="count"), [False, True], "woken"),
    ],
    ids=["one of two", "both", "one failed", "one failed, only counted", "one failed, one not, counted"],
)
def test_parent_wakes_when_its_children_are_settled(parent: Job, ended: list[bool], wait: str) -> None:
    """The last child wakes it, or the first that failed where that is the parent's policy; the doorbell rings once."""
    rings: list[Any] = []
    for succeeded in ended:
        parent, effects = machine.step(parent, ChildEnded(succeeded), NOW)
        rings += effects

    assert wait == parent.wait
    assert ([Ring()] if wait == "woken" else []) == rings


def test_children_faster_than_their_parent_wake_it() -> None:
    """Where all children are done before the parent sleeps, it does not sleep for ever; nor does one without children."""
    assert machine.step(RUNNING, replace(FAN, ok=2), NOW)[1] == [Ring()]
    assert machine.step(RUNNING, replace(FAN, total=0), NOW)[1] == [Ring()]


@pytest.mark.parametrize("job", DONE, ids=lambda job: str(job.state))
def test_child_of_a_parent_that_is_done_changes_nothing(job: Job) -> None:
    """A straggler does not wake the dead."""
    assert machine.step(job, ChildEnded(succeeded=True), NOW) == (job, [])


def test_redrive_opens_a_new_epoch() -> None:
    """Counters start again, the deadline is forgotten, and the token goes on, so that zombies of the old epoch stay stale."""
    job, effects = machine.step(replace(FAILED, expires_at=NOW - 1), Redrive(), NOW)

    assert (Job(epoch=2, token=5), [Emit(E.REDRIVEN), Ring()]) == (job, effects)


@pytest.mark.parametrize("job", [QUEUED, RUNNING, CANCELING, RETRYING, PARENT, DONE[-1]], ids=lambda job: f"{job.state}{job.wait}")
def test_only_what_did_not_succeed_is_redriven(job: Job) -> None:
    """A job under way, or one that succeeded, has nothing to do again."""
    with pytest.raises(Refused, match="conflict"):
        machine.step(job, Redrive(), NOW)
