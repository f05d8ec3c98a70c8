"""Who counts as deaf, and what a worker says of what it hears."""

from typing import Any

import pytest

from shared.ledger import hearing
from shared.runtime.ears import PAUSE, Ears, how_many

NOW = 1_700_000_000_000
SILENT = {"canary_every": 10.0, "free_for": 300.0, "silent": {"avatar": 45.0, "avatar.low": 3.0}}
WAITED = {"avatar": (NOW - 100_000, NOW - 5_000), "avatar.low": (NOW - 100_000, NOW - 5_000)}


def test_a_free_worker_that_is_silent_through_four_rounds_is_deaf() -> None:
    """Only on the queue that it does not hear."""
    assert ["avatar"] == hearing.deaf_queues(SILENT, WAITED, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"silent": {"avatar": 39.0}}, id="silent for less than four rounds"),
        pytest.param({"free_for": None}, id="busy"),
        pytest.param({"free_for": 20.0}, id="busy until a moment ago"),
        pytest.param({"draining": True}, id="told to stop"),
        pytest.param({"canary_every": 0}, id="without canaries"),
        pytest.param({"canary_every": None, "silent": None}, id="of a version that knows none"),
        pytest.param({"silent": {}}, id="listening to nothing"),
    ],
)
def test_whoever_may_be_silent_is_not_deaf(changes: dict[str, Any]) -> None:
    """Silence has other reasons."""
    assert [] == hearing.deaf_queues({**SILENT, **changes}, WAITED, NOW)


@pytest.mark.parametrize(
    "waited",
    [
        pytest.param({}, id="never looked at"),
        pytest.param({"avatar": (NOW - 100_000, NOW - 31_000)}, id="nobody has looked of late"),
        pytest.param({"avatar": (NOW - 39_000, NOW)}, id="something has waited for less than four rounds"),
    ],
)
def test_where_nothing_waited_nobody_is_deaf(waited: dict[str, tuple[int, int]]) -> None:
    """A ledger that was away, or workers that have only just begun."""
    assert [] == hearing.deaf_queues(SILENT, waited, NOW)


def test_a_queue_is_as_old_as_its_best_listener() -> None:
    """The youngest silence of all; none where nobody can tell."""
    workers = [{"silent": {"a": 9.0}}, {"silent": {"a": 4.0, "b": 1.0}}, {}]

    assert [4.0, 1.0, None] == [hearing.canary_age(queue, workers) for queue in "abc"]


def ears() -> tuple[Ears, list[float]]:
    """Ears that listen to a and b at the time 100, by a clock that is set by hand."""
    clock = [100.0]
    made = Ears(lambda: clock[0])
    made.listen(["a", "b"])
    return made, clock


def test_silence_is_counted_from_the_last_message() -> None:
    """By queue; what a worker was not told to listen to is not its business."""
    made, clock = ears()
    clock[0] = 103.0
    made.heard("a")
    made.heard("c")
    clock[0] = 104.0

    assert {"a": 1.0, "b": 4.0} == made.report(held=0, slots=2)["silent"]


def test_freedom_is_counted_from_the_last_full_beat() -> None:
    """All slots taken at a beat: it begins anew."""
    made, clock = ears()
    told = []
    for at, held in ((100, 0), (102, 1), (104, 2), (105, 1), (107, 1)):
        clock[0] = float(at)
        told.append(made.report(held=held, slots=2)["free_for"])

    assert [0.0, 2.0, None, 0.0, 2.0] == told


def test_a_worker_that_was_held_up_begins_anew() -> None:
    """After a pause of the machine, or of the ledger, it had no chance to hear anything."""
    made, clock = ears()
    made.report(held=0, slots=2)
    clock[0] += PAUSE + 60

    assert {"silent": {"a": 0.0, "b": 0.0}, "free_for": 0.0, "draining": False} == made.report(held=0, slots=2)


def test_who_hears_nothing_is_sent_more_canaries() -> None:
    """Two workers can fall into step, one taking both of each round: from the second silent round on there are three for each."""

    def worker(silent: float, *, draining: bool = False) -> dict[str, object]:
        return {"queues": ["q"], "silent": {"q": silent}, "draining": draining}

    assert 2 == how_many([worker(0.5), worker(1.9)], "q", 1.0)
    assert 6 == how_many([worker(0.5), worker(2.1)], "q", 1.0)
    assert 1 == how_many([worker(0.5), worker(9.0, draining=True)], "q", 1.0)
    assert 0 == how_many([worker(9.0)], "another", 1.0)
