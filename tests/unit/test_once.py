"""`job.once` without a ledger: what the block's end, an exception and a withdrawal say to the journal."""

from contextlib import suppress
from typing import Any

import pytest

from shared.errors import StaleTokenError
from shared.ledger import effects
from shared.ledger.calls import Answer, Call
from shared.runtime import journal as journals
from shared.runtime.journal import LARGEST_VALUE, LONGEST_KEY, once

FRESH = 5.0
JOB = "probe_01JD3Q7Y8M4C5N6P7R8S9T0VWX"


class Journal:
    """Answers as once.lua does, for the holder of token 3. What it keeps: (word, what belongs to it) by key."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}
        self.said: list[str] = []

    def run(self, call: Call[Answer]) -> Answer:
        """One call."""
        _, token, key, word, nonce, *value = call.args
        self.said.append(str(word))
        return call.parse(self._reply(int(token), str(key), str(word), str(nonce), *map(str, value)))

    def _reply(self, token: int, key: str, word: str, nonce: str, value: str = "") -> list[str]:
        was = self.kept.get(key)
        if token != 3:
            return ["stale"]
        if word == "begin":
            if was and was[0] == "done":
                return list(was)
            self.kept[key] = ("intent", nonce)
            return ["unknown" if was and was[1] != nonce else "open", ""]
        if word == "done":
            self.kept[key] = ("done", value)
        elif was == ("intent", nonce):
            del self.kept[key]
        return ["ok", ""]


def did(journal: Journal, value: Any = None) -> str:
    """One try at the effect `k`: what its fate was before."""
    with once(journal.run, JOB, 3, "k", fresh=FRESH) as effect:
        effect.value = value
        return effect.fate


def test_a_done_effect_is_done_for_every_later_run() -> None:
    """L10: the second run gets the first one's receipt, and says nothing more to the ledger."""
    journal = Journal()
    first = did(journal, {"receipt": 7})
    with once(journal.run, JOB, 3, "k", fresh=FRESH) as effect:
        second, value = effect.fate, effect.value

    assert ("open", "done", {"receipt": 7}) == (first, second, value)
    assert ["begin", "done", "begin"] == journal.said


def test_the_intent_is_written_before_the_effect() -> None:
    """A run that dies in the block has said what it was about to do."""
    journal = Journal()
    with once(journal.run, JOB, 3, "k", fresh=FRESH):
        during = journal.kept["k"][0]

    assert "intent" == during
    assert ("done", "null") == journal.kept["k"]


def test_an_effect_that_raised_is_unknown_to_the_next_run() -> None:
    """Whether it happened before the exception, only the handler can find out."""
    journal = Journal()
    with pytest.raises(OSError, match="cut off"), once(journal.run, JOB, 3, "k", fresh=FRESH):
        raise OSError("cut off")

    assert ["unknown", "done"] == [did(journal), did(journal)]


@pytest.mark.parametrize("divisor", [0, 1])
def test_a_withdrawn_effect_is_open_again(divisor: int) -> None:
    """A handler that knows that nothing happened says so, with an exception or without."""
    journal = Journal()
    with suppress(ZeroDivisionError), once(journal.run, JOB, 3, "k", fresh=FRESH) as effect:
        effect.withdraw()
        effect.value = 1 / divisor

    assert {} == journal.kept
    assert "open" == did(journal)


def test_a_done_effect_cannot_be_withdrawn() -> None:
    """What the ledger saw done stays done."""
    journal = Journal()
    did(journal)
    with once(journal.run, JOB, 3, "k", fresh=FRESH) as effect:
        effect.withdraw()

    assert "done" == did(journal)


def test_a_run_that_lost_its_job_does_not_begin() -> None:
    """L4: the block of a stale run is never entered."""
    journal = Journal()
    entered = False
    with pytest.raises(StaleTokenError), once(journal.run, JOB, 2, "k", fresh=FRESH):
        entered = True

    assert not entered
    assert {} == journal.kept


class Sleeper(Journal):
    """A process that is frozen for some seconds while it waits for its first answer; meanwhile the job may get another holder."""

    def __init__(self, patch: pytest.MonkeyPatch, *, seconds: float, robbed: bool) -> None:
        super().__init__()
        self.now, self.seconds, self.robbed, self.holder = 0.0, seconds, robbed, 3
        patch.setattr(journals, "elapsed", lambda: self.now)

    def run(self, call: Call[Answer]) -> Answer:
        """As a journal; then comes the sleep."""
        if self.holder != call.args[1]:
            return call.parse(["stale"])
        answer = super().run(call)
        self.now, self.seconds = self.now + self.seconds, 0.0
        self.holder = 4 if self.robbed else 3
        return answer


def test_a_run_that_slept_over_its_answer_asks_again_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """L10: a zombie that wakes with an old 'open' in hand does not begin: its successor has done the effect by now."""
    journal = Sleeper(monkeypatch, seconds=19.0, robbed=True)
    entered = False
    with pytest.raises(StaleTokenError), once(journal.run, JOB, 3, "k", fresh=FRESH):
        entered = True

    assert not entered


@pytest.mark.parametrize(("seconds", "said"), [(4.0, ["begin", "done"]), (19.0, ["begin", "begin", "done"])])
def test_a_run_that_slept_and_still_holds_its_job_goes_on(monkeypatch: pytest.MonkeyPatch, seconds: float, said: list[str]) -> None:
    """The first word stands: the second time the ledger finds this try's own intent."""
    journal = Sleeper(monkeypatch, seconds=seconds, robbed=False)
    journal.kept["k"] = ("intent", "of a run that died")

    assert "unknown" == did(journal)
    assert said == journal.said


def test_what_is_too_large_for_a_journal_is_refused() -> None:
    """Keys are names and values are receipts; the ledger's memory is shared by all jobs."""
    journal = Journal()
    for key in ("", "k" * (LONGEST_KEY + 1)):
        with pytest.raises(ValueError, match="1 to 200 characters"), once(journal.run, JOB, 3, key, fresh=FRESH):
            pass
    with pytest.raises(ValueError, match="keep a name"):
        did(journal, "x" * LARGEST_VALUE)


def test_a_call_carries_token_and_nonce() -> None:
    """The script fences by the token and knows its own repetition by the nonce."""
    assert (JOB, 3, "k", "begin", "n") == effects.begin(JOB, 3, "k", nonce="n").args
    assert (JOB, 3, "k", "done", "n", "1") == effects.done(JOB, 3, "k", nonce="n", value="1").args
    assert (JOB, 3, "k", "withdraw", "n") == effects.withdraw(JOB, 3, "k", nonce="n").args
