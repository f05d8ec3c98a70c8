"""An attempt never ends unsettled: while its process lives its lease is renewed, so that nobody else would ever take the job."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, JobCanceled, JobPostponed, PermanentError, StaleTokenError, TransientError
from shared.job import Child, FanOut
from shared.ledger.calls import Call
from shared.policy import Policy
from shared.runtime import attempt
from shared.runtime.away import Away
from shared.runtime.runtime import Runtime
from shared.service import Handler
from tests.probe.contract import CONTRACT, Act, ProbeResult

JOB = "probe_01JD3Q7Y8M4C5N6P7R8S9T0VWX"
ENVELOPE = {"id": JOB, "kind": Act.kind, "epoch": 1, "tenant": "acme", "command": {}}
RECORD = {
    "state": "running",
    "kind": Act.kind,
    "tenant": "acme",
    "token": "3",
    "attempt": "1",
    "epoch": "1",
    "queue": "probe",
    "request": "{}",
}


class TellingLedger:
    """Grants every claim and remembers what it was told; raises what the test wants for a script."""

    def __init__(self, record: dict[str, str], raises: dict[str, Exception]) -> None:
        self.record = record
        self.raises = raises
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def run(self, call: Call[Any]) -> Any:
        """Answer as the scripts do."""
        self.told.append((call.script, call.args))
        if call.script in self.raises:
            raise self.raises[call.script]
        flat = [part for field in self.record.items() for part in field]
        return call.parse(["claimed", flat, call.args[0]] if call.script == "claim" else ["ok", "running"])


class House:
    """A runtime over such a ledger, and whether the process was told to go."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.record = dict(RECORD)
        self.raises: dict[str, Exception] = {}
        self.left = self.rings_here = False
        self.away = Away()
        monkeypatch.setattr(attempt, "leave", self._leave)

    def _leave(self) -> None:
        self.left = True

    def run(self, handler: Handler, payload: Any = ENVELOPE) -> list[tuple[str, tuple[Any, ...]]]:
        """What the ledger was told of one doorbell."""
        ledger = TellingLedger(self.record, self.raises)
        storage = SimpleNamespace(read=self._gone)
        service = SimpleNamespace(
            name="probe",
            contract=CONTRACT,
            policy=Policy(),
            settings=SimpleNamespace(home=self.home, caps=(0, 0), rings_in_ledger=self.rings_here),
        )
        bus = SimpleNamespace(bell=lambda *_, **__: "")
        runtime = SimpleNamespace(service=service, ledger=ledger, storage=storage, bus=bus, worker="w", handlers={Act.kind: handler})
        runtime.away, runtime.queues = self.away, ("probe.high", "probe")
        attempt.run(cast("Runtime", runtime), Act.kind, payload, queue="probe", pid=17)
        return ledger.told

    @staticmethod
    def _gone(key: str) -> bytes:
        raise BlobNotFoundError(key)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with an empty home."""
    return House(tmp_path, monkeypatch)


def well(_command: Act, _job: Any) -> ProbeResult:
    """A handler that succeeds."""
    return ProbeResult(said="well")


def fan_out_that_raises(error: Exception) -> Handler:
    """A handler whose children are made one by one, until that goes wrong."""

    def children() -> Iterator[Child]:
        yield Child(Act())
        raise error

    return lambda _command, _job: FanOut(children())


def failure(told: list[tuple[str, tuple[Any, ...]]]) -> tuple[str, str]:
    """The type of the failure that ended the attempt, and '1' where it is to be retried."""
    script, args = told[-1]
    assert (script, args[:2]) == ("fail", (JOB, 3))
    return json.loads(args[2])["type"], args[3]


def test_success_is_told(house: House) -> None:
    """Claim, succeed, nothing more."""
    told = house.run(well)

    assert [script for script, _ in told] == ["claim", "succeed"]
    assert not (house.home / "work").exists()


def test_a_postponement_is_told_as_such(house: House) -> None:
    """The ledger wakes the job later; no failure is counted."""

    def later(_command: Act, _job: Any) -> ProbeResult:
        raise JobPostponed("the server said later", seconds=1.5)

    assert house.run(later)[-1] == ("postpone", (JOB, 3, 1_500, "the server said later"))


def test_the_folder_of_an_attempt_goes_with_it(house: House) -> None:
    """Made when it is asked for, empty, and gone afterwards with what is in it."""
    seen: list[Path] = []

    def writing(command: Act, job: Any) -> ProbeResult:
        seen.extend(job.workdir.iterdir())
        (job.workdir / "part").write_text("x")
        seen.append(job.workdir / "part")
        return well(command, job)

    house.run(writing)

    assert [path.name for path in seen] == ["part"]
    assert list((house.home / "work" / "probe").iterdir()) == []


def test_request_that_cannot_be_read_fails_the_attempt(house: House) -> None:
    """A large request whose bytes are gone from storage."""
    house.record["request_blob"] = Blob(key="jobs/x/request.json", bytes=70_000).model_dump_json()

    assert failure(house.run(well)) == ("storage", "1")
    assert not house.left


def test_home_that_cannot_be_written_fails_the_attempt(house: House) -> None:
    """A full disk, or a folder of another user, where the work's folder should be."""
    (house.home / "work").write_text("in the way")

    def writing(command: Act, job: Any) -> ProbeResult:
        (job.workdir / "part").write_text("x")
        return well(command, job)

    assert failure(house.run(writing)) == ("unforeseen", "1")


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (PermanentError("row 7 is no row", type="bad-rows"), ("bad-rows", "0")),
        (TransientError("come again"), ("job-failed", "1")),
        (ValueError("a mistake"), ("unforeseen", "1")),
    ],
)
def test_fan_out_that_breaks_fails_the_attempt(house: House, error: Exception, ended: tuple[str, str]) -> None:
    """Children are made lazily, so that the handler's errors may come after its return."""
    assert ended == failure(house.run(fan_out_that_raises(error)))


def test_fan_out_that_is_cancelled_stops(house: House) -> None:
    """A checkpoint in the making of children works as one in the handler."""
    told = house.run(fan_out_that_raises(JobCanceled()))

    assert (("canceled", (JOB, 3))) == told[-1]


def test_lost_lease_ends_quietly(house: House) -> None:
    """Where the job is somebody else's by now there is nothing to settle, and no reason to go."""
    house.raises["succeed"] = StaleTokenError("gone")

    assert [script for script, _ in house.run(well)] == ["claim", "succeed"]
    assert not house.left


@pytest.mark.parametrize("scripts", [("claim",), ("succeed", "fail")], ids=" and ".join)
def test_process_that_cannot_settle_goes(house: House, scripts: tuple[str, ...]) -> None:
    """Where the ledger takes no word for as long as we wait, the process ends, so that its parent gives the job back."""
    house.raises |= dict.fromkeys(scripts, RuntimeError("no answer"))
    house.run(well)

    assert house.left


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        (None, "/"),
        ([], "/"),
        ("text", "/"),
        ({}, "/id"),
        ({**ENVELOPE, "epoch": "x"}, "/epoch"),
        ({**ENVELOPE, "kind": "probe.other.v1"}, "/kind"),
        ({**ENVELOPE, "command": "text"}, "/command"),
    ],
)
def test_malformed_message_is_buried_once(house: House, payload: Any, pointer: str) -> None:
    """One dead letter with the message as it came in and the guilty field; nothing is claimed (L8)."""
    ((script, (_, entry)),) = house.run(well, payload)
    letter = json.loads(entry)

    assert script == "bury"
    assert ("malformed", payload, pointer) == (letter["reason"], letter["message"], letter["error"]["pointer"])


def test_child_goes_on_for_a_breath(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job is claimed without a doorbell, passing nothing more urgent; after a breath the child goes back to its worker."""
    house.rings_here = True
    now = itertools.count(0.0, attempt.BREATH / 3)
    monkeypatch.setattr(attempt, "time", SimpleNamespace(monotonic=lambda: next(now)))
    claims = [args for script, args in house.run(well) if script == "claim"]

    assert [JOB, "", ""] == [args[0] for args in claims]
    assert ("probe.high",) == claims[1][8:]


def test_while_the_broker_is_away_a_child_goes_on_with_what_is_most_urgent(house: House) -> None:
    """L3: nobody rings, so it takes the ledger's next job itself; once the broker is back it waits to be rung for."""
    house.away.note(True)
    ended = 0

    def three(_command: Act, _job: Any) -> ProbeResult:
        nonlocal ended
        ended += 1
        house.away.note(ended < 3)
        return ProbeResult(said="well")

    claims = [(args[0], args[5]) for script, args in house.run(three) if script == "claim"]

    assert [(JOB, "probe"), ("", "probe.high"), ("", "probe.high")] == claims


def test_a_worker_that_leaves_takes_nothing_more(house: House) -> None:
    """Whatever becomes of its broker then."""
    house.away.close()
    house.away.note(True)

    assert ["claim", "succeed"] == [script for script, _ in house.run(well)]
