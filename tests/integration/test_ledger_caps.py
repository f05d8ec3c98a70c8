"""Caps on running jobs: a property test over random histories of several tenants, and what the reconciler makes of a cap."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KIND = "avatar.generate.v1"
OF_KEYS = {"acme": None, "bolt": 1, "corp": 2}
"""What each tenant's key allows."""
QUEUES = ("avatar.high", "avatar")


class CappedHistories(RuleBasedStateMachine):
    """Jobs come, doorbells are answered or lead to nothing, jobs end in every way; the reconciler never helps."""

    ledger: Ledger

    @initialize(service=st.sampled_from([0, 1, 3]), tenant=st.sampled_from([0, 1, 2]))
    def begin(self, service: int, tenant: int) -> None:
        """An empty ledger with such caps."""
        self.ledger.redis.flushdb()
        self.caps = (service, tenant)
        self.running: dict[str, JobRecord] = {}
        self.submitted: list[str] = []
        self.answered = self.ended = 0

    def cap_of(self, tenant: str) -> int:
        """The lower of the service's and the key's; 100 for none."""
        return min(self.caps[1] or 100, OF_KEYS[tenant] or 100)

    @rule(tenant=st.sampled_from(sorted(OF_KEYS)), queue=st.sampled_from(QUEUES))
    def submit(self, tenant: str, queue: str) -> None:
        """A job is accepted."""
        new = NewJob(ids.new("avatar"), KIND, tenant, queue, "{}", bell="@TAG@", running_cap=OF_KEYS[tenant])
        self.submitted.append(self.ledger.run(calls.accept(new)).detail)

    @rule()
    def answer(self) -> None:
        """A free child takes the most urgent doorbell that there is."""
        self._answered_one()

    def _answered_one(self) -> bool:
        for queue in QUEUES:
            bell = self.ledger.redis.rpop(queue)
            if bell is not None:
                self.answered += 1
                call = calls.claim(
                    str(bell).rpartition(".")[0], worker="w", pid=1, lease_ms=60_000, nonce=ids.ulid(), queue=queue, caps=self.caps
                )
                claimed = self.ledger.run(call)
                if isinstance(claimed, JobRecord):
                    assert claimed.id not in self.running
                    self.running[claimed.id] = claimed
                return True
        return False

    @rule(how=st.sampled_from(["succeed", "fail", "retry", "lose", "release", "cancel"]))
    def end(self, how: str) -> None:
        """A run ends, one way or another."""
        if not self.running:
            return
        self.ended += 1
        job_id, record = self.running.popitem()
        token = record.token
        match how:
            case "succeed":
                self.ledger.run(calls.succeed(job_id, token, "{}", "[]"))
            case "fail" | "retry":
                error = {"type": "x", "detail": "y"}
                self.ledger.run(calls.fail(job_id, token, error, retryable=how == "retry", delay_ms=0, policy_attempts=9))
            case "lose":
                self.ledger.run(calls.lose(job_id, token, budget=3, why={"reason": "SIGKILL"}))
            case "release":
                self.ledger.run(calls.release(job_id, token, "stopping"))
            case _:
                self.ledger.run(calls.cancel(job_id, record.tenant))
                self.ledger.run(calls.canceled(job_id, token))

    @invariant()
    def nobody_is_over_a_cap(self) -> None:
        """At no moment do more jobs run than may."""
        tenants = [record.tenant for record in self.running.values()]
        assert all(tenants.count(tenant) <= self.cap_of(tenant) for tenant in OF_KEYS)
        assert len(tenants) <= (self.caps[0] or 100)

    def teardown(self) -> None:
        """L2, L3: children that only answer doorbells end every job, and no doorbell is rung over and over for one that may not start."""
        if not hasattr(self, "running"):
            return
        while True:
            while self._answered_one():
                self.nobody_is_over_a_cap()
            if not self.running:
                break
            self.end("succeed")
        states = [self._state(job_id) for job_id in self.submitted]
        assert "queued" not in states
        assert "running" not in states
        # One a submission; at each end one for the job itself, where it runs again, and one a queue for its tenant and for the service.
        assert self.answered <= len(self.submitted) + self.ended * (1 + 2 * len(QUEUES))

    def _state(self, job_id: str) -> str:
        record = self.ledger.run(calls.read(job_id))
        assert record is not None
        return str(record.state)


def test_caps_hold_and_every_job_is_rung_when_a_slot_frees(redis_url: str) -> None:
    """Over random histories no cap is exceeded, and doorbells alone, without the reconciler, lead every job to its end."""
    CappedHistories.ledger = Ledger(redis_url, "avatar", rings_here=True)
    run_state_machine_as_test(
        CappedHistories,
        settings=settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def submit(ledger: Ledger, tenant: str, cap: int | None = None) -> str:
    """Accept a job; its id."""
    return ledger.run(calls.accept(NewJob(ids.new("avatar"), KIND, tenant, "avatar", "{}", bell="@TAG@", running_cap=cap))).detail


def claim(ledger: Ledger, bell: str, caps: tuple[int, int] = (0, 0)) -> JobRecord | calls.Answer:
    """Answer a doorbell."""
    return ledger.run(calls.claim(bell, worker="w", pid=1, lease_ms=60_000, nonce=ids.ulid(), queue="avatar", caps=caps))


def look(ledger: Ledger) -> calls.Look:
    """Two looks of the reconciler, for it rings again what is missing at two."""
    ledger.run(calls.reconcile("w", budget=3, most=100, depths={"avatar": -1}))
    return ledger.run(calls.reconcile("w", budget=3, most=100, depths={"avatar": -1}))


def test_a_turn_at_a_cap_goes_to_the_next_tenant(ledger: Ledger) -> None:
    """Round-robin skips whoever is at its cap; nobody else loses a turn."""
    capped = [submit(ledger, "acme", cap=1) for _ in range(3)]
    free = [submit(ledger, "bolt") for _ in range(3)]
    served = [claim(ledger, bell) for bell in capped + free]

    assert "abbb" == "".join(record.tenant[0] for record in served if isinstance(record, JobRecord))
    assert 2 == sum(isinstance(answer, calls.Answer) for answer in served)
    assert calls.Answer("capped", "queued") == claim(ledger, capped[2])


def test_what_a_cap_holds_back_is_told_and_not_rung_again(ledger: Ledger) -> None:
    """The reconciler takes a capped job's missing doorbell for what it is; /v1/services tells how many wait for that reason."""
    for bell in [submit(ledger, "acme", cap=1) for _ in range(4)]:
        claim(ledger, bell)
    ledger.redis.delete("avatar")

    assert 0 == look(ledger).rung_again
    queue = ledger.run(calls.stats(["avatar"]))["queues"]["avatar"]
    assert (3, 3) == (queue["depth"], queue["held_back"])
    submit(ledger, "acme", cap=1)
    assert 0 == ledger.redis.llen("avatar")


def test_the_services_cap_holds_everybody_back(ledger: Ledger) -> None:
    """With a cap of one, one runs; its end rings for the next, whoever that is."""
    bells = [submit(ledger, tenant) for tenant in ("acme", "bolt")]
    first = claim(ledger, bells[0], caps=(1, 0))
    assert isinstance(first, JobRecord)
    assert calls.Answer("capped") == claim(ledger, bells[1], caps=(1, 0))
    ledger.redis.delete("avatar")
    assert 0 == look(ledger).rung_again
    ledger.run(calls.succeed(first.id, first.token, "{}", "[]"))

    assert [bells[1]] == [str(bell).rpartition(".")[0] for bell in ledger.redis.lrange("avatar", 0, -1)]
    assert isinstance(claim(ledger, bells[1], caps=(1, 0)), JobRecord)


def test_a_cap_that_nobody_uses_up_any_more_is_found_by_the_reconciler(ledger: Ledger) -> None:
    """Leases that vanished without a word (a script that failed half-way, an older worker) leave nobody parked."""
    bells = [submit(ledger, "acme", cap=1) for _ in range(2)]
    first = claim(ledger, bells[0])
    assert isinstance(first, JobRecord)
    claim(ledger, bells[1])
    ledger.redis.delete("avatar", f"{ledger.prefix}job:{first.id}")
    look(ledger)

    assert isinstance(claim(ledger, bells[1]), JobRecord)


def test_children_count_and_a_waiting_parent_does_not(ledger: Ledger) -> None:
    """A parent that sleeps holds no slot: with a cap of one its children run, one at a time, and then the parent again."""
    parent = claim(ledger, submit(ledger, "acme", cap=1))
    assert isinstance(parent, JobRecord)
    fields = NewJob("", KIND, "acme", "avatar", "{}", bell="@TAG@", running_cap=1).fields()
    ledger.run(calls.spawn(parent.id, parent.token, [(n, [*fields, "parent", parent.id, "index", n, "weight", 1]) for n in range(2)]))
    assert calls.Answer("capped", "queued") == claim(ledger, f"{parent.id}.0")
    ledger.run(calls.suspend(parent.id, parent.token, total=2, weight=2, on_failure="fail"))

    order = []
    while (bell := ledger.redis.rpop("avatar")) is not None:
        if isinstance(run := claim(ledger, str(bell).rpartition(".")[0]), JobRecord):
            order.append(run.id.removeprefix(parent.id))
            ledger.run(calls.succeed(run.id, run.token, "{}", "[]"))
    assert [".0", ".1", ""] == order


def test_two_slots_that_free_at_once_are_both_used(ledger: Ledger) -> None:
    """The second lease ends before the first one's doorbell was answered: two doorbells, for either cap."""
    for caps in ((2, 0), (0, 2)):
        ledger.redis.flushdb()
        bells = [submit(ledger, "acme") for _ in range(4)]
        running = [found for bell in bells if isinstance(found := claim(ledger, bell, caps), JobRecord)]
        ledger.redis.delete("avatar")
        for record in running:
            ledger.run(calls.succeed(record.id, record.token, "{}", "[]"))
        rung = [str(bell).rpartition(".")[0] for bell in ledger.redis.lrange("avatar", 0, -1)]

        assert (2, 2) == (len(running), sum(isinstance(claim(ledger, bell, caps), JobRecord) for bell in rung))
