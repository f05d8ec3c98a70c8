"""The journal's script does what a dict would do, over random lives of a job: fenced, idempotent, kept across attempts and epochs."""

import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shared.errors import StaleTokenError
from shared.ledger import calls, effects, ids, retention
from shared.ledger.calls import Answer, Call, NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KEYS = st.sampled_from(["a", "mail:ada@example.com", "done "])


class Journals(RuleBasedStateMachine):
    """One job is claimed, lost, redriven; its holders and its zombies write to the journal."""

    ledger: Ledger

    @initialize()
    def accept(self) -> None:
        """A new job and an empty journal."""
        self.id = ids.new("avatar")
        self.ledger.run(calls.accept(NewJob(self.id, "avatar.generate.v1", "t", "avatar", "{}", bell="@TAG@")))
        self.token, self.held = 0, False
        self.model: dict[str, tuple[str, str]] = {}
        self.nonces: dict[str, str] = {}

    @rule()
    def claim(self) -> None:
        """A worker takes the job where it is free."""
        if not self.held:
            record = self.ledger.run(calls.claim(self.id, worker="w", pid=7, lease_ms=600_000, nonce=uuid.uuid4().hex))
            assert isinstance(record, JobRecord)
            self.token, self.held = record.token, True

    @rule()
    def lose(self) -> None:
        """The holder dies; its token is stale from here on."""
        if self.held:
            self.ledger.run(calls.lose(self.id, self.token, budget=10**6, why={"reason": "killed"}))
            self.held = False

    @rule()
    def fail_and_redrive(self) -> None:
        """A new epoch: the journal stays."""
        if self.held:
            self.ledger.run(calls.fail(self.id, self.token, {"detail": "x"}, retryable=False, delay_ms=0, policy_attempts=1))
            self.ledger.run(calls.redrive(self.id, "t"))
            self.held = False

    def _say(self, call: Call[Answer], *, stale: bool) -> Answer | None:
        if stale or not self.held:
            with pytest.raises(StaleTokenError):
                self.ledger.run(call)
            return None
        return self.ledger.run(call)

    @rule(key=KEYS, stale=st.booleans(), again=st.booleans())
    def begin(self, key: str, *, stale: bool, again: bool) -> None:
        """A try begins; `again`: the same call is sent once more, its answer having been lost."""
        nonce = uuid.uuid4().hex
        call = effects.begin(self.id, self.token - stale, key, nonce=nonce)
        answer = self._say(call, stale=stale)
        if answer is None:
            return
        was = self.model.get(key)
        expected = Answer("open") if was is None else Answer("done", was[1]) if was[0] == "done" else Answer("unknown")
        assert expected == answer
        if expected.word != "done":
            self.model[key], self.nonces[key] = ("intent", nonce), nonce
            if again:
                assert Answer("open") == self.ledger.run(call)

    @rule(key=KEYS, stale=st.booleans(), value=st.sampled_from(["null", '{"a": "é"}', '"done "']))
    def done(self, key: str, *, stale: bool, value: str) -> None:
        """A try ends well."""
        if key in self.nonces:
            call = effects.done(self.id, self.token - stale, key, nonce=self.nonces[key], value=value)
            if self._say(call, stale=stale) is not None:
                self.model[key] = ("done", value)

    @rule(key=KEYS)
    def do_twice(self, key: str) -> None:
        """A holder does it and, as a rescue would, begins it anew: a walk of single steps finds this too rarely."""
        self.claim()
        self.begin(key, stale=False, again=False)
        self.done(key, stale=False, value="null")
        self.begin(key, stale=False, again=False)

    @rule(key=KEYS, stale=st.booleans(), mine=st.booleans())
    def withdraw(self, key: str, *, stale: bool, mine: bool) -> None:
        """A try takes its intent back; another's it cannot."""
        nonce = self.nonces.get(key, "none") if mine else "another"
        said = self._say(effects.withdraw(self.id, self.token - stale, key, nonce=nonce), stale=stale)
        if said is not None and self.model.get(key) == ("intent", nonce):
            del self.model[key]

    def teardown(self) -> None:
        """What the ledger keeps is what the model has; with the job it goes."""
        if hasattr(self, "id"):
            journal = f"{self.ledger.prefix}once:{self.id}"
            kept = {key: tuple(str(text).split(" ", 1)) for key, text in self.ledger.redis.hgetall(journal).items()}
            assert self.model == kept
            self.ledger.run(calls.cancel(self.id, "t"))
            if self.held:
                self.ledger.run(calls.canceled(self.id, self.token))
            assert Answer("ok") == self.ledger.run(retention.delete(self.id, "t"))
            assert not self.ledger.redis.exists(journal)


def test_the_journal_is_fenced_and_survives_attempts_and_epochs(redis_url: str) -> None:
    """L10, L4: random histories; every answer and all that is kept agree with a plain dict."""
    ledger = Ledger(redis_url.replace("/0", "/8"), "avatar", rings_here=True)
    bound = type("BoundJournals", (Journals,), {"ledger": ledger})

    run_state_machine_as_test(
        bound, settings=settings(max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    )
    ledger.close()
