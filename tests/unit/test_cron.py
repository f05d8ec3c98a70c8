"""When schedules run: never twice the same moment, and at Debian cron's times where the clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cron import COUNTED, CronError, Due, cron

BERLIN = "Europe/Berlin"
MINUTE = 60_000
ZONES = ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham"]
FIELDS = [["*", "*/7", "0", "30", "5,50"], ["*", "*/3", "2", "1-3", "0,23"], ["*", "1", "L"], ["*", "3", "2-11"], ["*", "MON", "1-5", "7"]]


def ms(text: str) -> int:
    """An ISO time as Unix milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def runs(expression: str, zone: str, after: str, most: int) -> list[str]:
    """The next runs as they read on a clock there."""
    found = islice(cron(expression, zone).after(ms(after)), most)
    return [datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%d %H:%M %z") for at in found]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00+01:00", ["29 03:00 +0200", "30 02:30 +0200"]),
        ("0,30 2 * * *", "2026-03-28T12:00+01:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("*/30 * * * *", "2026-03-29T01:15+01:00", ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"]),
        ("30 2 * * *", "2026-10-24T12:00+02:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 2 * * *", "2026-10-25T02:10+01:00", ["26 02:30 +0100"]),
        ("*/30 * * * *", "2026-10-25T01:45+02:00", ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100"]),
        ("0 9 * * MON", "2026-10-19T09:00+02:00", ["26 09:00 +0100"]),
    ],
)
def test_the_clock_changes(expression: str, after: str, expected: list[str]) -> None:
    """A skipped fixed time runs right after the jump, a doubled one once; intervals go by the clock on the wall."""
    assert expected == runs(expression, BERLIN, after, len(expected))


@given(st.tuples(*(st.sampled_from(field) for field in FIELDS)), st.sampled_from(ZONES), st.integers(0, 2**31))
def test_runs_move_on(fields: tuple[str, ...], zone: str, second: int) -> None:
    """Every run is later than the one before it, on a whole minute; asked from any run, the following is the same."""
    schedule = cron(" ".join(fields), zone)
    found = list(islice(schedule.after(second * 1000), 12))

    assert all(before < after for before, after in pairwise([second * 1000, *found]))
    assert all(at % MINUTE == 0 for at in found)
    assert found[1:6] == [schedule.next(at) for at in found[:5]]


@given(st.sampled_from(["* * * * *", "*/20 * * * *", "15 */6 * * *", "0 2 * * *", "0 9 1 * *"]), st.integers(0, 3_000_000))
def test_due_is_the_last_run_and_those_before_it(expression: str, minutes: int) -> None:
    """As counted one by one, up to the bound."""
    schedule, expected = cron(expression, BERLIN), cron(expression, BERLIN).next(ms("2026-03-01T00:00+01:00")) or 0
    now = expected + minutes * MINUTE
    due = schedule.due(expected, now)

    assert due.at <= now < (due.following or 0)
    assert schedule.next(due.at) == due.following
    if due.missed < COUNTED:
        assert [expected, *islice(schedule.after(expected), due.missed)][-1] == due.at


def test_due_in_time() -> None:
    """Nothing was missed where somebody looks a second later."""
    at = ms("2026-11-30T09:00+01:00")

    assert Due(at, 0, at + 7 * 1440 * MINUTE) == cron("0 9 * * MON", BERLIN).due(at, at + 1_000)


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("* * * *", "UTC", "cron"),
        ("0 * * * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("* * * * MON#2/3", "UTC", "cron"),
        ("0 0 30 2 *", "UTC", "cron"),
        ("", "UTC", "cron"),
        ("* * * * *" + " " * 300, "UTC", "cron"),
        ("* * * * *", "Mars/Olympus", "timezone"),
        ("* * * * *", "../etc/passwd", "timezone"),
        ("* * * * *", "Europe", "timezone"),
    ],
)
def test_what_is_no_schedule(expression: str, zone: str, field: str) -> None:
    """Refused, with the guilty field."""
    with pytest.raises(CronError) as refused:
        cron(expression, zone)

    assert field == refused.value.field


def test_the_end_of_the_calendar() -> None:
    """A run beyond the year 9999 is none."""
    late = int(datetime(9999, 12, 31, 23, 30, tzinfo=UTC).timestamp() * 1000)

    assert [late + 30 * MINUTE - timedelta(minutes=1) // timedelta(milliseconds=1)] == list(cron("59 23 31 12 *", "UTC").after(late))
