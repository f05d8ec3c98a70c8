"""The ack journal: what a dead attempt left tells the next one whom not to mail, and notes travel in groups."""

import asyncio
from collections.abc import Sequence

import pytest

from services.mailer.journal import Entry, Journal, entries
from shared.errors import StaleTokenError, UnavailableError
from shared.job import Note
from tests.unit.job_effects import FakeEffects, Heard


def test_the_next_attempt_knows_what_became_of_each() -> None:
    """Taken, failed, offered without an answer, and put off are told apart; the server's words stay on one line."""

    async def attempt() -> None:
        for key in ("sent", "unknown", "deferred", "failed"):
            await journal.offered(key)
        journal.accepted("sent", 7.0, "250 2.0.0 Ok:\tqueued\nas 1", resent=True)
        journal.deferred("deferred", Entry(None, 5.0, "451 later", tries=2, due=65.0))
        journal.failed("failed", 8.0, "550 no such user")
        await journal.close()

    effects = FakeEffects()
    with Journal(effects) as journal:
        asyncio.run(attempt())
    left = entries(effects.known())

    assert left.pop("unknown").fate == "unknown"
    assert left == {
        "sent": Entry("sent", 7.0, "250 2.0.0 Ok: queued as 1", resent=True),
        "deferred": Entry(None, 5.0, "451 later", tries=2, due=65.0),
        "failed": Entry("failed", 8.0, "550 no such user"),
    }


def test_an_acknowledgement_rides_with_its_connections_next_intent() -> None:
    """One group has both, so that a kill leaves one unknown for a connection, never two."""
    groups: list[list[str]] = []

    async def connection() -> None:
        await journal.offered("a")
        journal.accepted("a", 1.0, "250 ok")
        await journal.offered("b")

    with Journal(FakeEffects(on_note=lambda notes: groups.append([f"{note.word} {note.key}" for note in notes]))) as journal:
        asyncio.run(connection())

    assert groups == [["begin a"], ["done a", "begin b"]]


def test_many_connections_share_a_group() -> None:
    """While one group is on its way, the next one gathers."""

    async def sixteen() -> None:
        await asyncio.gather(*(journal.offered(f"k{number}") for number in range(16)))
        for number in range(16):
            journal.accepted(f"k{number}", 1.0, "250 ok")
        await asyncio.gather(*(journal.offered(f"l{number}") for number in range(16)))

    effects = FakeEffects()
    with Journal(effects) as journal:
        asyncio.run(sixteen())

    assert sum(effects.groups) == 48
    assert len(effects.groups) <= 4


def test_a_run_that_lost_its_job_offers_nothing_more() -> None:
    """L4: the ledger's refusal comes out of the intent, of every later one, and of the close."""

    def refuse(_notes: Sequence[Note]) -> None:
        raise StaleTokenError("gone")

    async def zombie() -> None:
        for act in (journal.offered("a"), journal.offered("b"), journal.close()):
            with pytest.raises(StaleTokenError):
                await act

    with Journal(FakeEffects(on_note=refuse)) as journal:
        asyncio.run(zombie())


def test_a_ledger_that_gives_no_answer_is_waited_out_beside_the_loop() -> None:
    """The group is said again with `note`, once, and the intent holds only then."""
    said: list[str] = []

    class Deaf(FakeEffects):
        def post(self, notes: Sequence[Note]) -> Heard[None]:
            said.append(f"posted {len(notes)}")
            raise UnavailableError("ledger", "restarting")

    async def one() -> None:
        await journal.offered("a")
        said.append("offered")

    with Journal(Deaf(on_note=lambda notes: said.append(f"noted {len(notes)}"))) as journal:
        asyncio.run(one())

    assert said == ["posted 1", "noted 1", "offered"]


def test_who_waits_behind_a_group_that_fails_hears_of_it() -> None:
    """Intents that gathered meanwhile are not left waiting."""

    def refuse(_notes: Sequence[Note]) -> None:
        raise StaleTokenError("gone")

    async def both() -> Sequence[BaseException | None]:
        return await asyncio.gather(journal.offered("a"), journal.offered("b"), return_exceptions=True)

    with Journal(FakeEffects(on_note=refuse)) as journal:
        heard = asyncio.run(asyncio.wait_for(both(), 5))

    assert [type(each) for each in heard] == [StaleTokenError, StaleTokenError]


def test_there_is_time_for_other_things_while_a_group_is_on_its_way() -> None:
    """Called once a group, after it was sent and before its answer is heard; nothing is on its way when all is written."""
    seen: list[bool] = []

    async def one() -> None:
        await journal.offered("a")
        journal.accepted("a", 1.0, "250 ok")
        await journal.close()

    with Journal(FakeEffects()) as journal:
        journal.meanwhile = lambda: seen.append(journal.on_its_way)
        asyncio.run(one())
        assert not journal.on_its_way

    assert seen == [True, True]


def test_half_of_the_connections_are_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of eight do not wait for the others, and those that are left when most are done do not, either: a wait would be for ever."""
    groups: list[list[str]] = []

    async def eight() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*(journal.offered(f"k{number}") for number in range(4)))
            journal.left(2)
            await journal.offered("last")

    monkeypatch.setattr("services.mailer.journal.GATHER", 3_600.0)
    effects = FakeEffects(on_note=lambda notes: groups.append([note.key for note in notes]))
    with Journal(effects, 8) as journal:
        asyncio.run(eight())

    assert groups == [["k0", "k1", "k2", "k3"], ["last"]]
