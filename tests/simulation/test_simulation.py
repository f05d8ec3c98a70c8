"""The state machine in a world that fails in every way, and the proof that the simulation would notice.

`SIM_SECONDS=300` plays for longer, `SIM_SEED=123` plays one schedule again and tells its story.
"""

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.referee import Violation
from tests.simulation.world import play

SECONDS = float(os.environ.get("SIM_SECONDS", "8"))
WITHIN = 3_000
"""Schedules in which a missing mechanism must be noticed."""
SIGHTS = {
    "job.rescued", "lease expired", "released", "job.canceling", "job.canceled", "job.expired", "job.redriven", "woke", "Claim:taken",
    "Succeed:stale", "Fail:stale", "buried:worker_lost", "buried:exhausted", "buried:permanent",
}  # fmt: skip


@pytest.mark.timeout(SECONDS + 120)
def test_no_schedule_breaks_a_promise(record_property: Callable[[str, object], None]) -> None:
    """L2-L7, L10: every accepted job ends once, at most one lease lives, a stale writer changes nothing; over thousands of schedules."""
    if "SIM_SEED" in os.environ:
        play(int(os.environ["SIM_SEED"]), trace=print)
        return
    first, seen, played, deadline = time.time_ns() % 10**12, Counter[str](), 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            seen += play(first + played)
        except Violation as violation:
            pytest.fail(f"{violation}\nAgain, with its story: SIM_SEED={first + played} python -m pytest -s {__file__}")
        played += 1
    record_property("schedules", played)

    assert played > 100
    assert set() == SIGHTS - seen.keys()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_missing_mechanism_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one mechanism taken out, some schedule breaks a promise: the simulation bites."""
    MUTATIONS[name](monkeypatch)

    with pytest.raises(Violation):
        _play_all()


def test_a_seed_is_a_schedule() -> None:
    """The same seed plays the same story to the letter, or nobody could look into a failure."""
    stories: list[list[str]] = [[], []]
    for story in stories:
        play(42, trace=story.append)

    assert stories[0] == stories[1]
    assert len(stories[0]) >= 40


def _play_all() -> None:
    for seed in range(WITHIN):
        play(seed)
