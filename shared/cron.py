"""When a schedule runs: cron's five fields, told in the time of a place (IANA name), as Unix milliseconds.

Daylight saving follows Debian's cron (cron(8), "Notes"), by way of `cronsim`: where the clock jumps forward, a run at a fixed time in the
hour that is skipped comes right after the jump; where it is set back, a run at a fixed time in the hour that comes twice comes once, the
first time. Runs of "every so many" (minute or hour begins with `*`) go by the clock on the wall: none in the skipped hour, twice as many
in the doubled one.
"""

import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

from cronsim import CronSim, CronSimError

FIELDS = 5
LONGEST = 255
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
COUNTED = 1_000
"""Missed runs are counted up to here; after a year of silence, nobody asks for the exact number."""
_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366), timedelta(days=366 * 9), timedelta(days=366 * 51))
"""How far to look back for the last run, in widening steps; 29 February may be eight years away, on a Monday much longer."""


class CronError(ValueError):
    """A schedule that is none. `field` is the guilty one: cron or timezone."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Due:
    """What is due at a moment: `at`, the last run that came due; `missed`, how many before it were never made; `following`, the next."""

    at: int
    missed: int
    following: int | None


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked expression in a time zone; make it with `cron`."""

    expression: str
    timezone: str

    def after(self, moment: int) -> Iterator[int]:
        """Its runs later than `moment`, earliest first, without end unless the expression has one (none within 50 years)."""
        start = datetime.fromtimestamp(moment / 1000, UTC).astimezone(_zone(self.timezone))
        latest = moment
        try:
            for found in CronSim(self.expression, start):
                at = int(found.timestamp()) * 1000
                if at > latest:  # two times of a skipped hour become one, and one of a doubled hour may lie behind us
                    latest = at
                    yield at
        except OverflowError:  # the calendar ends with the year 9999
            return

    def next(self, moment: int) -> int | None:
        """The first run later than `moment`; None where none will ever come."""
        return next(self.after(moment), None)

    def due(self, expected: int, now: int) -> Due:
        """Of the runs from `expected` (a run that came due) to `now`: the last one, and what was missed before it."""
        at, missed = expected, 0
        for run in islice(self.after(expected), COUNTED):
            if run > now:
                return Due(at, missed, run)
            at, missed = run, missed + 1
        at = max(at, self._last(now) or at)
        return Due(at, missed, self.next(max(at, now)))

    def _last(self, now: int) -> int | None:
        for back in _BACK:
            found = None
            for run in self.after(now - int(back.total_seconds() * 1000)):
                if run > now:
                    break
                found = run
            if found is not None:
                return found
        return None


@lru_cache(maxsize=4_096)
def cron(expression: str, timezone: str) -> Cron:
    """The schedule that these say. Raises CronError with the guilty field and what is wrong with it."""
    if len(expression) > LONGEST or len(expression.split()) != FIELDS:
        raise CronError("cron", "a cron expression has five fields: minute, hour, day of the month, month, day of the week")
    _zone(timezone)
    made = Cron(" ".join(expression.split()), timezone)
    try:
        first = made.next(int(datetime.now(UTC).timestamp() * 1000))
    except (CronSimError, AssertionError, TypeError, ValueError) as error:  # cronsim asserts where "MON#2/3" surprises it
        words = str(error).removeprefix("Bad ") if isinstance(error, CronSimError) else ""
        raise CronError("cron", f"this is not a cron expression: {words or 'one of its fields'} is wrong") from error
    if first is None:
        raise CronError("cron", "this never comes, not within 50 years")
    return made


@lru_cache(maxsize=1_024)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    if _ZONE.fullmatch(name):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise CronError("timezone", f"there is no time zone {name[:60]!r}; an IANA name is asked for, such as Europe/Berlin or UTC")
