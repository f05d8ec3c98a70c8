"""The journal for thousands of effects: groups are atomic and fenced, and what was begun is known to a run on any host."""

import uuid
from collections.abc import Iterator
from select import select

import pytest

from shared.errors import StaleTokenError, UnavailableError
from shared.job import Note, Once
from shared.ledger import calls, effects, ids
from shared.ledger.calls import Answer, NewJob
from shared.ledger.precedence import outranked
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.runtime.journal import Journal, as_kept

FRESH = 5.0


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """A ledger of this test's own."""
    ledger = Ledger(redis_url.replace("/0", "/7"), "mailer", rings_here=True)
    yield ledger
    ledger.close()


def claimed(ledger: Ledger, job_id: str) -> Journal:
    """The journal as the job's next run gets it."""
    record = ledger.run(calls.claim(job_id, worker="w", pid=7, lease_ms=600_000, nonce=uuid.uuid4().hex))
    assert isinstance(record, JobRecord)
    return Journal(ledger.run, job_id, record.token, fresh=FRESH, post=ledger.post)


def accepted(ledger: Ledger) -> str:
    """A new job."""
    job_id = ids.new("mailer")
    ledger.run(calls.accept(NewJob(job_id, "mailer.batch.v1", "t", "mailer", "{}", bell="@TAG@")))
    return job_id


def lose(ledger: Ledger, job_id: str, token: int) -> None:
    """The holder is killed."""
    ledger.run(calls.lose(job_id, token, budget=9, why={"reason": "killed"}))


def test_the_next_run_knows_what_the_dead_one_did(ledger: Ledger) -> None:
    """Done with its receipt, begun and unknown, open with what is to be remembered; the never begun is not there."""
    job_id = accepted(ledger)
    first = claimed(ledger, job_id)
    first.note([Note("a", "begin"), Note("b", "begin", 7.5), Note("c", "begin"), Note("d", "begin")])
    first.note([Note("a", "done", ["250 ok", 1]), Note("c", "open", {"again": 7}), Note("d", "open")])
    lose(ledger, job_id, 1)

    assert {"a": Once("done", ["250 ok", 1]), "b": Once("unknown", 7.5), "c": Once("open", {"again": 7})} == claimed(ledger, job_id).known()


def test_a_run_that_lost_its_job_notes_nothing_of_a_group(ledger: Ledger) -> None:
    """L4: neither an intent nor an end; and it cannot read on as if it still held the job."""
    job_id = accepted(ledger)
    zombie = claimed(ledger, job_id)
    lose(ledger, job_id, 1)
    holder = claimed(ledger, job_id)
    for act in (lambda: zombie.note([Note("a", "begin"), Note("b", "begin")]), zombie.known):
        with pytest.raises(StaleTokenError):
            act()

    assert {} == holder.known()


def test_what_is_done_cannot_begin_again(ledger: Ledger) -> None:
    """L10: a caller that forgot to look is told; the receipt stays."""
    job_id = accepted(ledger)
    journal = claimed(ledger, job_id)
    journal.note([Note("a", "begin")])
    journal.note([Note("a", "done", 1)])
    with pytest.raises(ValueError, match="look at known"):
        journal.note([Note("a", "begin")])

    assert {"a": Once("done", 1)} == journal.known()


def test_a_group_is_read_in_its_order(ledger: Ledger) -> None:
    """What one note of a group says is true for the next one of it, however many there are: three thousand are one step like three."""
    job_id = accepted(ledger)
    journal = claimed(ledger, job_id)
    journal.note(
        [Note("a", "begin"), Note("a", "done", 1), Note("b", "begin"), Note("b", "open"), Note("c", "open", 7), Note("c", "begin")]
    )
    with pytest.raises(ValueError, match="look at known"):
        journal.note([Note("d", "begin"), Note("d", "done", 2), Note("d", "begin")])
    journal.note([Note(f"k{number}", "begin") for number in range(3_000)])
    known = journal.known()

    assert (Once("done", 1), None, Once("unknown"), Once("done", 2)) == tuple(map(known.get, "abcd"))
    assert 3_003 == len(known)


def test_a_posted_group_is_noted_when_its_answer_is_there(ledger: Ledger) -> None:
    """Nothing is waited for between the two, the refusals are those of `note`, and a script that the server lost is no answer."""
    job_id = accepted(ledger)
    journal = claimed(ledger, job_id)
    posted = journal.post([Note("a", "begin"), Note("b", "done", "250 ok")])
    assert select([posted], [], [], 10)[0]
    posted.answer()
    again = journal.post([Note("b", "begin")])
    assert select([again], [], [], 10)[0]
    with pytest.raises(ValueError, match="look at known"):
        again.answer()
    ledger.redis.script_flush()
    unheard = journal.post([Note("c", "begin")])
    assert select([unheard], [], [], 10)[0]
    with pytest.raises(UnavailableError):
        unheard.answer()

    assert {"a": Once("unknown"), "b": Once("done", "250 ok")} == journal.known()


def test_an_answer_that_is_late_is_none(ledger: Ledger) -> None:
    """The caller says it again, on another connection: this one's late answer is nobody's. Nor is an answer from before the lease's end."""
    job_id = accepted(ledger)
    journal = claimed(ledger, job_id)
    ledger.redis.client_pause(200)
    late = journal.post([Note("a", "begin")])
    with pytest.raises(UnavailableError):
        late.answer()
    journal.note([Note("a", "begin")])
    record = ledger.run(calls.read(job_id))
    assert record is not None
    old = Journal(ledger.run, job_id, record.token, fresh=0.0, post=ledger.post).post([Note("b", "begin")])
    assert select([old], [], [], 10)[0]
    with pytest.raises(UnavailableError, match="too old"):
        old.answer()

    assert {"a": Once("unknown"), "b": Once("unknown")} == journal.known()


def test_once_and_the_groups_keep_one_journal(ledger: Ledger) -> None:
    """What a group left open, `once` finds open, and the reverse."""
    job_id = accepted(ledger)
    journal = claimed(ledger, job_id)
    journal.note([Note("a", "open", 3)])

    assert Answer("open") == ledger.run(effects.begin(job_id, 1, "a", nonce="n"))
    assert {"a": Once("unknown")} == journal.known()


def test_a_parent_reads_the_journal_of_a_child_that_failed(ledger: Ledger) -> None:
    """Without holding it; of one that succeeded nothing is kept, for it never runs again."""
    job_id = accepted(ledger)
    claimed(ledger, job_id).note([Note("a", "done", 1)])
    ledger.run(calls.fail(job_id, 1, {"detail": "x"}, retryable=False, delay_ms=0, policy_attempts=1))
    seen = as_kept(ledger.run(effects.known(job_id, None)))
    ledger.run(calls.redrive(job_id, "t"))
    claimed(ledger, job_id)
    ledger.run(calls.succeed(job_id, 2, "{}", "[]"))

    assert {"a": Once("done", 1)} == seen
    assert {} == ledger.run(effects.known(job_id, None))


def test_only_those_above_whose_turn_would_come_outrank(ledger: Ledger) -> None:
    """One that waits in a more urgent queue does, until it is claimed; an equal never."""
    ledger.redis.flushdb()
    before = ledger.run(outranked("mailer_x", ["mailer.high"]))
    job_id = ids.new("mailer")
    ledger.run(calls.accept(NewJob(job_id, "mailer.mailing.v1", "t", "mailer.high", "{}", bell="@TAG@")))
    waiting = ledger.run(outranked("mailer_x", ["mailer.high"]))
    claimed(ledger, job_id)

    assert (before, waiting, ledger.run(outranked("mailer_x", ["mailer.high"])), ledger.run(outranked("mailer_x", []))) == (
        False,
        True,
        False,
        False,
    )
