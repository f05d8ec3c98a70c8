"""The Lua scripts do what the pure state machine says: a stateful property test over random histories."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.contracts.states import TERMINAL, State
from shared.errors import StaleTokenError
from shared.job import ChildPolicy
from shared.ledger import calls, ids, inputs, machine
from shared.ledger.calls import Call, NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

START = 1_700_000_000_000
LEASE = 15_000
BUDGET = 2
TOKENS = st.integers(-1, 0)  # the current token, or the one before it
Rule = Callable[..., None]


class LedgerHistories(RuleBasedStateMachine):
    """One job lives the same random life in the pure machine and in the ledger."""

    ledger: Ledger

    @initialize(delay=st.sampled_from([None, 5_000]), expiry=st.sampled_from([None, 20_000]), most=st.sampled_from([None, 1, 2]))
    def accept(self, delay: int | None, expiry: int | None, most: int | None) -> None:
        """A job is accepted, at once or for later."""
        self.ledger.redis.flushdb()
        self.now = START
        self.id = ids.new("avatar")
        self.nonce = 0
        run_at = self.now + delay if delay else None
        expires = self.now + expiry if expiry else None
        self.job, effects = machine.accepted(self.now, run_at=run_at, expires_at=expires, max_attempts=most)
        new = NewJob(
            self.id, "avatar.generate.v1", "t", "avatar", '{"seed":"a"}', bell="@TAG@", run_at=run_at, expires_at=expires, max_attempts=most
        )
        self.events: list[str] = []
        self.reason = ""
        self.rings = 0
        self._say(calls.accept(new))
        self._note(effects)

    def _say(self, call: Call[Any]) -> Any:
        return self.ledger.run(call, now=self.now)

    def _note(self, effects: list[inputs.Effect]) -> None:
        self.events += [str(effect.type) for effect in effects if isinstance(effect, inputs.Emit)]
        self.rings += sum(isinstance(effect, inputs.Ring) for effect in effects)
        self.reason = next((effect.reason for effect in effects if isinstance(effect, inputs.Bury)), self.reason)

    def _both(self, input_: inputs.Input, call: Call[Any]) -> None:
        """Step both; where the machine refuses, the ledger must refuse too (and the invariant sees that nothing changed)."""
        refused = ""
        effects: list[inputs.Effect] = []
        try:
            self.job, effects = machine.step(self.job, input_, self.now)
        except machine.Refused as refusal:
            refused = refusal.reason
        if refused == "stale":
            with pytest.raises(StaleTokenError):
                self._say(call)
            return
        answer = self._say(call)
        self._note(effects)
        if refused:
            assert refused == answer.word

    @rule(ms=st.sampled_from([1, 900, 6_000, 16_000]))
    def pass_time(self, ms: int) -> None:
        """Time passes; nothing else happens."""
        self.now += ms

    @rule()
    def claim(self) -> None:
        """A worker hears the doorbell, rightly or not."""
        self.nonce += 1
        self._both(inputs.Claim(LEASE), calls.claim(self.id, worker="w1", pid=7, lease_ms=LEASE, nonce=str(self.nonce)))

    @rule()
    def renew(self) -> None:
        """The worker's parent renews everything it holds."""
        held = self._say(calls.renew("w1", lease_ms=LEASE, info={}))
        try:
            self.job, _ = machine.step(self.job, inputs.Renew(self.job.token, LEASE), self.now)
        except machine.Refused:
            assert [] == held
            return
        assert [calls.Held(self.id, self.job.token, 7, self.job.told)] == held

    @rule(back=TOKENS)
    def succeed(self, back: int) -> None:
        """A handler returns, perhaps a stale one."""
        token = self.job.token + back
        if self.job.state not in TERMINAL:  # a repeated success is answered as before; see the unit of that
            self._both(inputs.Succeed(token), calls.succeed(self.id, token, "{}", "[]"))

    @rule(back=TOKENS, retryable=st.booleans())
    def fail(self, back: int, *, retryable: bool) -> None:
        """A handler raises, perhaps a stale one."""
        token = self.job.token + back
        if self.job.lease is not None:
            error = {"type": "x", "detail": "y"}
            self._both(
                inputs.Fail(token, retryable, 3_000, 3),
                calls.fail(self.id, token, error, retryable=retryable, delay_ms=3_000, policy_attempts=3),
            )

    @rule(back=TOKENS)
    def lose(self, back: int) -> None:
        """The parent sees the child die."""
        token = self.job.token + back
        self._both(inputs.Lose(token, BUDGET), calls.lose(self.id, token, budget=BUDGET, why={"reason": "SIGKILL", "cause": "signal"}))

    @rule(back=TOKENS)
    def release(self, back: int) -> None:
        """A stopping worker gives the job back."""
        token = self.job.token + back
        self._both(inputs.Release(token), calls.release(self.id, token, "stopping"))

    @rule(back=TOKENS)
    def postpone(self, back: int) -> None:
        """The handler wants to go on later, perhaps a stale one."""
        token = self.job.token + back
        if self.job.lease is not None:
            self._both(inputs.Postpone(token, 3_000), calls.postpone(self.id, token, delay_ms=3_000, reason="not yet"))

    @rule(back=TOKENS)
    def stopped(self, back: int) -> None:
        """The handler says that it stopped."""
        token = self.job.token + back
        if self.job.lease is not None:
            self._both(inputs.Stopped(token), calls.canceled(self.id, token))

    @rule()
    def cancel(self) -> None:
        """The user cancels; a parent that settles up takes its children with it at once, for none of them runs here."""
        open_ = self.job.total - self.job.ok - self.job.bad if self.job.wait == "waiting" else 0
        self._both(inputs.Cancel(open_), calls.cancel(self.id, "t"))

    @rule(total=st.integers(0, 3), policy=st.sampled_from(["fail", "count"]), settles=st.booleans())
    def fan_out(self, total: int, policy: ChildPolicy, *, settles: bool) -> None:
        """The handler fans out; children of an earlier try count as they are."""
        if self.job.lease is None:
            return
        token = self.job.token
        children = [
            (i, [*NewJob("", "avatar.generate.v1", "t", "avatar", "{}", bell="@TAG@").fields(), "parent", self.id, "index", i, "weight", 1])
            for i in range(total)
        ]
        self._say(calls.spawn(self.id, token, children))
        states = [self._read(f"{self.id}.{i}").state for i in range(total)]
        ok = sum(state is State.SUCCEEDED for state in states)
        bad = sum(state in TERMINAL for state in states) - ok
        self._both(
            inputs.Suspend(token, total, policy, ok, bad, settles, total - ok - bad),
            calls.suspend(self.id, token, total=total, weight=total, on_failure=policy, settles=settles),
        )

    @rule(index=st.integers(0, 2), ok=st.booleans())
    def end_child(self, index: int, *, ok: bool) -> None:
        """A child runs to its end."""
        child = f"{self.id}.{index}"
        if self.job.wait != "waiting" or (found := self.ledger.run(calls.read(child))) is None or found.done:
            return
        claimed = self._say(calls.claim(child, worker="w2", pid=8, lease_ms=10**9, nonce=f"c{self.nonce}"))
        assert isinstance(claimed, JobRecord)
        self.job, effects = machine.step(self.job, inputs.ChildEnded(ok), self.now)
        if ok:
            self._say(calls.succeed(child, claimed.token, "{}", "[]"))
        else:
            self._say(calls.fail(child, claimed.token, {"detail": "no"}, retryable=False, delay_ms=0, policy_attempts=1))
        self._note(effects)

    @rule()
    def reconcile(self) -> None:
        """The reconciler takes its one look."""
        self.job, effects = machine.step(self.job, inputs.Tick(BUDGET), self.now)
        self._say(calls.reconcile("w1", budget=BUDGET, most=100, depths={}))
        self._note(effects)

    @rule()
    def fall_silent(self) -> None:
        """The lease runs out, and the reconciler looks: a walk of single steps finds this too rarely."""
        self.claim()
        self.now += LEASE + 1
        self.reconcile()

    @rule()
    def err_once_more(self) -> None:
        """An attempt, its error, the pause after it: likewise, up to the limit of errors."""
        self.claim()
        self.fail(back=0, retryable=True)
        self.now += 3_001
        self.reconcile()

    @rule(
        total=st.integers(0, 3), done=st.integers(0, 2), early=st.booleans(), end=st.sampled_from(["succeed", "lose", "release", "silence"])
    )
    def settle_up(self, total: int, done: int, end: str, *, early: bool) -> None:
        """A parent that settles up is cancelled, before or after it fell asleep, and runs once more: likewise."""
        self.claim()
        if early:
            self.cancel()
        self.fan_out(total, "count", settles=True)
        for index in range(done):
            self.end_child(index, ok=True)
        self.cancel()
        self.claim()
        match end:
            case "succeed":
                self.succeed(back=0)
            case "lose":
                self.lose(back=0)
            case "release":
                self.release(back=0)
            case _:
                self.now += LEASE + 1
                self.reconcile()

    @rule()
    def redrive(self) -> None:
        """The user redrives."""
        self._both(inputs.Redrive(), calls.redrive(self.id, "t", bell="@TAG@"))

    def _read(self, job_id: str) -> JobRecord:
        record = self.ledger.run(calls.read(job_id))
        assert record is not None
        return record

    @invariant()
    def same_life(self) -> None:
        """L2, L4, L5, L7: state, budgets, tokens, leases, events, doorbells and dead letters agree."""
        r, redis = self._read(self.id), self.ledger.redis
        seen = machine.Job(
            State(r.state), r.number("epoch"), r.number("attempt"), r.number("errors"), r.number("crashes"), r.token,
            r.time("lease"), r.time("run_at"), r.time("expires"), r.time("max"), r.time("started") is not None,
            r.text("wait"), self.job.total, self.job.ok, self.job.bad, self.job.on_failure, r.text("settle"),
        )  # fmt: skip
        assert self.job == seen
        page = self.ledger.run(calls.events(self.id))
        # Progress is not the machine's business, but its events are numbered with the others.
        assert self.events == [str(event.type) for event in page.events if event.type != "job.progressed"]
        assert list(range(1, page.last + 1)) == [event.seq for event in page.events]
        rung = [bell for bell in redis.lrange("avatar", 0, -1) if str(bell).rpartition(".")[0] == self.id]
        assert self.rings == len(rung)
        if self.job.state is State.FAILED:
            assert self.reason == r.text("reason")
        assert (self.job.state is State.FAILED) == (redis.zscore("cf:{avatar}:dead", self.id) is not None)
        assert (self.job.lease is not None) == (redis.zscore("cf:{avatar}:leases", self.id) is not None)
        waits_here = self.job.wait == "woken" or (self.job.state is State.QUEUED and self.job.run_at is None)
        assert waits_here == (redis.zscore("cf:{avatar}:ready:avatar", self.id) is not None)


def test_the_scripts_live_the_same_life_as_the_machine(redis_url: str) -> None:
    """Over random histories the ledger and the pure machine agree in every visible respect (L2, L4, L5, L7)."""
    LedgerHistories.ledger = Ledger(redis_url, "avatar", rings_here=True)
    run_state_machine_as_test(
        LedgerHistories,
        settings=settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )
