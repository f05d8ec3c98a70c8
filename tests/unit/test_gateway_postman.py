"""Doorbells go out behind the answer's back, together, and none is lost where the broker does not answer."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from gateway.postman import Postman
from shared.bus import Bus
from shared.errors import UnavailableError
from shared.ledger.calls import Call
from shared.ledger.record import JobRecord
from shared.ledger.store import AsyncLedger


class FakeLedger:
    """An outbox, and a record for each id."""

    def __init__(self, waiting: Sequence[str]) -> None:
        self.outbox = list(waiting)

    async def run(self, call: Call[Any]) -> Any:
        """Three scripts are enough."""
        await asyncio.sleep(0)
        match call.script:
            case "outbox":
                taken, self.outbox = self.outbox[: int(call.args[0])], self.outbox[int(call.args[0]) :]
                return taken
            case "unsent":
                self.outbox = [str(each) for each in call.args] + self.outbox
                return None
            case _:
                return JobRecord(str(call.args[0]), {"state": "queued"})


class FakeBus:
    """Counts batches; refuses while `down`."""

    rings_here = False

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.asked = 0
        self.down = False

    def ring(self, *records: JobRecord) -> None:
        """Note the batch, or refuse it."""
        self.asked += 1
        if self.down:
            raise UnavailableError("broker", "gone")
        self.batches.append([record.id for record in records])


def postman(ledger: FakeLedger, bus: FakeBus) -> Postman:
    """One over the fakes."""
    return Postman(cast("AsyncLedger", ledger), cast("Bus", bus))


def test_what_waits_goes_out_together_and_in_order() -> None:
    """Three calls in a row are one round; the second batch takes what the first had no room for."""
    ledger, bus = FakeLedger([f"j{n}" for n in range(130)]), FakeBus()

    async def play() -> None:
        man = postman(ledger, bus)
        for _ in range(3):
            man.call()
        await man.close()

    asyncio.run(play())

    assert [[f"j{n}" for n in range(100)], [f"j{n}" for n in range(100, 130)]] == bus.batches
    assert [] == ledger.outbox


def test_a_broker_that_does_not_answer_is_left_alone_for_a_while() -> None:
    """Nothing is lost from the outbox, nothing raises, and the next submit does not try again at once."""
    ledger, bus = FakeLedger(["j1", "j2"]), FakeBus()
    bus.down = True

    async def play() -> None:
        man = postman(ledger, bus)
        man.call()
        await man.close()
        man.call()
        await man.close()

    asyncio.run(play())

    assert (["j1", "j2"], 1) == (ledger.outbox, bus.asked)


def test_a_broker_that_is_back_gets_everything() -> None:
    """After the pause the next call takes what was left."""
    ledger, bus = FakeLedger(["j1"]), FakeBus()
    bus.down = True

    async def play() -> None:
        man = postman(ledger, bus)
        man.call()
        await man.close()
        bus.down = False
        man._not_before = float("-inf")
        man.call()
        await man.close()

    asyncio.run(play())

    assert [["j1"]] == bus.batches
