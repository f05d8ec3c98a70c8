"""Webhooks' deliveries in the ledger do what a plain model says: a stateful property test over random histories."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from shared.ledger import calls, deliveries, ids, retention
from shared.ledger.calls import Call, NewJob
from shared.ledger.deliveries import Delivery, Limits, Taken, Word
from shared.ledger.retention import Keep
from shared.ledger.store import Ledger

LEASE = 15_000
AT_ONCE, WHILE_FAILING, FAILS, IN_ALL = 2, 1, 5, 3
RECEIVERS = ("a.example:443", "b.example:443")
TELLS = " accepted started canceled redriven "
Any_ = st.integers(0, 10**6)  # the n-th of whatever there is


@dataclass
class Owed:
    """What the model knows of a delivery. `due` None: it is out, until `until`, or done with."""

    receiver: str
    due: int | None
    state: str = "pending"
    number: int = 0
    tries: int = 0
    until: int = 0
    lost: int = 0
    since: int = 0


@dataclass
class Model:
    """All deliveries by id, and what is known of receivers."""

    owed: dict[str, Owed] = field(default_factory=dict)
    full: int = 0
    """When a look last found that the tenant has as much out as it may: for a second, its receivers may be passed over."""
    hold: dict[str, int] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)

    def out(self, receiver: str) -> int:
        """How many are under way to it."""
        return sum(each.receiver == receiver and each.state == "pending" and each.due is None for each in self.owed.values())

    def free(self, receiver: str) -> int:
        """How many more may be."""
        return (WHILE_FAILING if self.failing.get(receiver, 0) >= FAILS else AT_ONCE) - self.out(receiver)

    def forget_idle(self) -> None:
        """Of a receiver with nothing pending, nothing is kept."""
        for receiver in RECEIVERS:
            if not any(each.receiver == receiver and each.state == "pending" for each in self.owed.values()):
                self.hold.pop(receiver, None)
                self.failing.pop(receiver, None)


class DeliveryHistories(RuleBasedStateMachine):
    """Jobs with webhooks live random lives, and deliverers of any reliability do what they can."""

    ledger: Ledger

    @initialize()
    def begin(self) -> None:
        """An empty ledger."""
        self.ledger.redis.flushdb()
        self.now, self.nonce = 1_700_000_000_000, 0
        self.model = Model()
        self.jobs: dict[str, str] = {}
        self.events: dict[str, int] = {}
        self.taken: list[Taken] = []

    def _say(self, call: Call[Any]) -> Any:
        return self.ledger.run(call, now=self.now)

    def _job(self, nth: int) -> str:
        return list(self.jobs)[nth % len(self.jobs)]

    def _tells(self, job_id: str) -> None:
        """Its events since the last look are owed, each once."""
        last = self._say(calls.events(job_id, after=self.events[job_id], most=100))
        for event in last.events:
            self.events[job_id] = event.seq
            if self.jobs[job_id] and f" {str(event.type).removeprefix('job.')} " in TELLS:
                self.model.owed[f"{job_id}:{event.seq}"] = Owed(self.jobs[job_id], self.now)

    @rule(ms=st.sampled_from([1, 900, 6_000, LEASE + 1, 120_000]))
    def pass_time(self, ms: int) -> None:
        """Time passes."""
        self.now += ms

    @rule(to=st.sampled_from([*RECEIVERS, ""]))
    def accept(self, to: str) -> None:
        """A job, with a webhook or without."""
        webhook = {"webhook": f"https://{to}/x", "tells": TELLS, "receiver": to} if to else None
        job_id = ids.new("avatar")
        self._say(calls.accept(NewJob(job_id, "avatar.generate.v1", "t", "avatar", "{}", bell="@TAG@", webhook=webhook)))
        self.jobs[job_id], self.events[job_id] = to, 0
        self._tells(job_id)

    @precondition(lambda self: self.jobs)
    @rule(nth=Any_, what=st.sampled_from(["claim", "cancel", "stop", "redrive"]))
    def live(self, nth: int, what: str) -> None:
        """Something happens to a job."""
        job_id, self.nonce = self._job(nth), self.nonce + 1
        record = self._say(calls.read(job_id))
        if what == "claim":
            self._say(calls.claim(job_id, worker="w", pid=1, lease_ms=10**9, nonce=str(self.nonce)))
        elif what == "cancel":
            self._say(calls.cancel(job_id, "t"))
        elif what == "stop" and record.time("lease") is not None:
            self._say(calls.canceled(job_id, record.token))
        elif what == "redrive":
            self._say(calls.redrive(job_id, "t", bell="@TAG@"))
        self._tells(job_id)

    @rule(most=st.integers(1, 4))
    def take(self, most: int) -> None:
        """A deliverer takes what is due: nothing that is not, nobody above its cap, and nothing is left that could be taken."""
        model = self.model
        for each in model.owed.values():
            if each.state == "pending" and each.due is None and each.until <= self.now:
                each.lost += 1
                each.due = self.now + (1_000 * 2**each.lost if each.lost > 2 else 0)
        _, taken = self._say(deliveries.take(most, lease_ms=LEASE, limits=Limits(AT_ONCE, WHILE_FAILING, IN_ALL)))
        for one in taken:
            owed = model.owed[one.id]
            assert owed.state == "pending"
            assert owed.due is not None
            assert owed.due <= self.now
            assert model.hold.get(owed.receiver, 0) <= self.now
            assert model.free(owed.receiver) > 0
            assert sum(model.out(receiver) for receiver in RECEIVERS) < IN_ALL
            owed.due, owed.until, owed.number = None, self.now + LEASE, owed.number + 1
            owed.since = owed.since if owed.tries or owed.lost else self.now
            assert owed.since == one.since
            assert (owed.number, owed.tries, f"https://{owed.receiver}/x") == (one.number, one.tries, one.url)
            assert one.id == f"{one.job}:{one.event.seq}"
        self.taken += taken
        if sum(model.out(receiver) for receiver in RECEIVERS) >= IN_ALL:
            model.full = self.now
        if len(taken) < most and self.now >= model.full + 1_000:
            for owed in model.owed.values():
                waits = owed.state == "pending" and owed.due is not None and owed.due <= self.now
                assert not waits or model.free(owed.receiver) <= 0 or model.hold.get(owed.receiver, 0) > self.now

    @precondition(lambda self: self.taken)
    @rule(nth=Any_, hold=st.sampled_from([0, 0, 30_000]), word=st.sampled_from(["delivered", "again", "again", "failed", "gone", "back"]))
    def end(self, nth: int, hold: int, word: Word) -> None:
        """An attempt ends, perhaps one that was overtaken, or that is told of twice."""
        one = self.taken[nth % len(self.taken)]
        owed = self.model.owed.get(one.id)
        call = deliveries.ended(one, word, {"number": one.number, "outcome": word}, delay_ms=5_000, hold_ms=hold)
        answer = self._say(call)
        assert answer == self._say(call) or answer.word == "ok"
        if owed is None:
            assert answer.word == "unknown"
            return
        if owed.number != one.number or owed.due is not None or owed.state != "pending":
            return  # the invariant sees that nothing changed
        assert answer.word == "ok"
        self._end(owed, one.job, word, hold)

    def _end(self, owed: Owed, job_id: str, word: Word, hold: int) -> None:
        model, who = self.model, owed.receiver
        if word == "back":
            owed.due = self.now + 5_000
        elif word == "delivered":
            owed.state = "delivered"
            model.failing.pop(who, None)
        else:
            owed.tries += 1
            if word != "gone":
                model.failing[who] = model.failing.get(who, 0) + 1
            if hold:
                model.hold[who] = self.now + hold
            owed.state, owed.due = ("pending", self.now + 5_000) if word == "again" else ("failed", None)
        if word == "gone":
            self.jobs[job_id] = ""
            for name, each in model.owed.items():
                if deliveries.job_of(name) == job_id and each.state == "pending" and each.due is not None:
                    each.state, each.due = "failed", None
        model.forget_idle()

    @rule()
    def renew(self) -> None:
        """A deliverer says that it is still at it."""
        self._say(deliveries.renew([(one.id, one.number) for one in self.taken], lease_ms=LEASE))
        for one in self.taken:
            owed = self.model.owed.get(one.id)
            if owed and owed.state == "pending" and owed.due is None and owed.number == one.number:
                owed.until = self.now + LEASE

    @precondition(lambda self: self.model.owed)
    @rule(nth=Any_)
    def resend(self, nth: int) -> None:
        """A user wants one sent again."""
        name = list(self.model.owed)[nth % len(self.model.owed)]
        owed = self.model.owed[name]
        assert "ok" == self._say(deliveries.again(name, "t")).word
        assert "unknown" == self._say(deliveries.again(name, "other")).word
        if owed.state != "pending" or owed.due is not None:
            owed.state, owed.due, owed.tries, owed.lost = "pending", self.now, 0, 0

    @precondition(lambda self: self.jobs)
    @rule(nth=Any_)
    def delete(self, nth: int) -> None:
        """A user deletes a job that is done, with what it owes."""
        job_id = self._job(nth)
        if self._say(retention.delete(job_id, "t")).word == "ok":
            del self.jobs[job_id]
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        model = self.model
        gone = [name for name in model.owed if deliveries.job_of(name) == job_id]
        receivers = {model.owed.pop(name).receiver for name in gone}
        if receivers:
            model.forget_idle()

    @precondition(lambda self: self.model.owed)
    @rule(word=st.sampled_from(["delivered", "again"]))
    def overtake(self, word: Word) -> None:
        """A deliverer is cut off, another takes over, and the first is back with its news: a walk of single steps finds this too rarely."""
        self.take(4)
        first = len(self.taken) - 1
        self.now += LEASE + 1
        self.take(4)
        if self.taken:
            self.end(first, hold=0, word=word)

    @precondition(lambda self: self.model.owed)
    @rule(to=st.sampled_from(RECEIVERS))
    def stumble(self, to: str) -> None:
        """Something new for a receiver of which all else waits for its next try: likewise."""
        self.take(4)
        for nth, one in enumerate(self.taken):
            if one.url == f"https://{to}/x":
                self.end(nth, hold=0, word="again")
        self.take(1)
        self.accept(to)
        self.take(4)

    @precondition(lambda self: self.jobs)
    @rule(nth=Any_)
    def vanish(self, nth: int) -> None:
        """A job is ended and deleted while its deliveries are out: likewise."""
        self.take(4)
        self.live(nth, "cancel")
        self.live(nth, "stop")
        self.delete(nth)

    @rule()
    def prune(self) -> None:
        """Retention takes what is done, save what still owes."""
        self._say(retention.prune({"canceled": Keep(0, 10**6)}))
        for job_id in list(self.jobs):
            its = {name: owed for name, owed in self.model.owed.items() if deliveries.job_of(name) == job_id}
            if self._say(calls.read(job_id)) is None:
                assert all(owed.state != "pending" for owed in its.values())
                del self.jobs[job_id]
                self._forget(job_id)

    @invariant()
    def same(self) -> None:
        """State, attempts and times agree; pages and figures are of exactly these deliveries; nothing is in two places or in none."""
        model, redis = self.model, self.ledger.redis
        listed: list[Delivery] = []
        below: tuple[int, str] | None = None
        while page := self._say(deliveries.page("t", below=below, most=3)):
            listed += page
            below = (page[-1].made, page[-1].id)
        assert sorted(model.owed) == sorted(each.id for each in listed)
        assert sorted(((each.made, each.id) for each in listed), reverse=True) == [(each.made, each.id) for each in listed]
        for each in listed:
            owed = model.owed[each.id]
            assert (owed.state, owed.number) == (each.state, each.number)
            assert owed.due is None or owed.due == each.next
        waiting = {name for name, owed in model.owed.items() if owed.due is not None}
        out = {name for name, owed in model.owed.items() if owed.due is None and owed.state == "pending"}
        lines = [name for receiver in RECEIVERS for name in redis.zrange(f"cf:{{avatar}}:owed:line:t {receiver}", 0, -1)]
        assert sorted(waiting) == sorted(lines)
        assert sorted(out) == sorted(redis.zrange("cf:{avatar}:owed:out", 0, -1))
        assert (len(waiting | out), len(out)) == ((found := self._say(deliveries.standing())).pending, found.out)


def test_deliveries_do_what_the_model_says(redis_url: str) -> None:
    """No event without its delivery, none twice; one attempt at a time; caps, holds and leases are kept; nothing is forgotten."""
    DeliveryHistories.ledger = Ledger(redis_url, "avatar", rings_here=True)
    run_state_machine_as_test(
        DeliveryHistories,
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )
