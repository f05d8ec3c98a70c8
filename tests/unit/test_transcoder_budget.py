"""A budget: when the window opens, and when the CPU time is spent."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.transcoder.budget import Purse, seconds_until
from services.transcoder.shelf import Shelf
from shared.contracts.transcoder import Budget, Window
from shared.errors import JobPostponed, PermanentError
from shared.local_storage import LocalStorage

BERLIN = ZoneInfo("Europe/Berlin")


def at(clock: str) -> datetime:
    """That time of a November day in Berlin."""
    return datetime.fromisoformat(f"2026-11-25T{clock}").replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("22:00", "06:00", "21:00:00", 3_600.0),
        ("22:00", "06:00", "22:00:00", 0.0),
        ("22:00", "06:00", "05:59:59", 0.0),
        ("22:00", "06:00", "06:00:00", 16 * 3_600.0),
        ("09:00", "17:00", "17:00:00", 16 * 3_600.0),
        ("09:00", "17:00", "12:00:00", 0.0),
        ("00:00", "00:00", "12:00:00", 0.0),
    ],
)
def test_a_window_opens_every_day(start: str, end: str, now: str, expected: float) -> None:
    """Across midnight, too; its end does not belong to it."""
    assert seconds_until(Window(start=start, end=end, timezone="Europe/Berlin"), at(now)) == expected


def purse(folder: Path, **budget: object) -> Purse:
    """An empty purse."""
    return Purse(Budget.model_validate(budget), Shelf(LocalStorage(folder), "jobs/transcoder_x", "t", "s", "b"))


def test_outside_of_its_window_a_segment_waits(tmp_path: Path) -> None:
    """Without a worker, and without an attempt burned."""
    with pytest.raises(JobPostponed) as caught:
        purse(tmp_path, window={"start": "22:00", "end": "06:00", "timezone": "Europe/Berlin"}).open("part-0", at("20:30:00"))

    assert caught.value.seconds == 5_400.0


def test_what_is_spent_is_counted_over_all_segments(tmp_path: Path) -> None:
    """And the last one may go beyond: a segment that has begun is not lost."""
    ours = purse(tmp_path, cpu_seconds=10)
    for cpu_seconds in (4.25, 4.25, 2.0):
        with ours.spending("part-0") as spend:
            spend(cpu_seconds)

    assert ours.spent() == 10.5
    with pytest.raises(PermanentError) as caught:
        ours.open("part-1")
    assert (caught.value.type, caught.value.pointer) == ("budget-spent", "/budget/cpu_seconds")


def test_a_spent_budget_lets_other_parts_end_first(tmp_path: Path) -> None:
    """The job fails once nobody is encoding: what was begun elsewhere is paid for. What a killed worker left waits for itself no more."""
    ours = purse(tmp_path, cpu_seconds=10)
    with ours.spending("part-0"):
        ours.spend(11)
        with pytest.raises(JobPostponed, match="are being finished"):
            ours.open("part-1")
        with pytest.raises(PermanentError):
            ours.open("part-0")
    with pytest.raises(PermanentError):
        ours.open("part-1")


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    """At the gateway, with its field named."""
    with pytest.raises(ValidationError, match="Mars/Olympus"):
        Window(start="22:00", end="06:00", timezone="Mars/Olympus")
