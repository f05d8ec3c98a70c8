"""Schedules in a service's ledger: what can be said about them, and how they are read. Times are Unix milliseconds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from shared.contracts.base import Blob
from shared.cron import Cron
from shared.ledger import ids
from shared.ledger.calls import IDEMPOTENCY_TTL, Answer, Arg, Call
from shared.ledger.record import legible_json, pairs

MOST = 1_000
"""Schedules that a tenant may have in one service."""
AGAIN_MS = 5_000
"""How long a run that found the queue full, or its tenant's quota used up, is put off."""
PREFIX = "sch_"
Outcome = Literal["submitted", "skipped", "failed"]


def new_id(service: str) -> str:
    """A new schedule's id: sch_, the service's name, a ULID."""
    return PREFIX + ids.new(service)


def service_of(schedule_id: str) -> str:
    """The service whose ledger has it; '' where this is no schedule's id."""
    return ids.service_of(schedule_id.removeprefix(PREFIX)) if schedule_id.startswith(PREFIX) else ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, made or not. `at` is the time it was due (by hand: when it was asked for), `noted` when its fate was noted.

    `count`: of how many runs this note tells, at least; above 1 only for those that were missed together.
    """

    outcome: Outcome
    at: int
    noted: int
    detail: str = ""
    count: int = 1
    by_hand: bool = False
    job: str = ""

    def text(self) -> str:
        """As the ledger keeps it; the script that makes the job puts its id in."""
        kept = {
            "outcome": self.outcome,
            "at": self.at,
            "noted": self.noted,
            "detail": self.detail,
            "count": self.count,
            "by_hand": self.by_hand,
        }
        return legible_json(kept)

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Caps:
    """What the key that made the schedule may use; 0: no limit. `queued` is the gateway's own limit on a service's queue."""

    queued: int = 0
    live: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """What a schedule's owner says. `request` is the command's JSON, `late` seconds after which a run is not made up for (None: ever)."""

    kind: str
    cron: Cron
    request: str
    paused: bool = False
    late: int | None = None
    inputs: Mapping[str, Blob] = field(default_factory=dict)
    caps: Caps = Caps()

    def fields(self) -> list[Arg]:
        """Field, value, field, value …, all of them: an older definition is written over."""
        known: dict[str, Arg] = {
            "kind": self.kind,
            "cron": self.cron.expression,
            "zone": self.cron.timezone,
            "request": self.request,
            "paused": "1" if self.paused else "",
            "late": "" if self.late is None else self.late,
            "inputs": json.dumps({name: blob.model_dump() for name, blob in self.inputs.items()}) if self.inputs else "",
            "caps": json.dumps([self.caps.queued, self.caps.live, self.caps.running]),
        }
        return [item for name, value in known.items() for item in (name, value)]

    def following(self, now: int) -> int | str:
        """The run to expect, '' while it is paused."""
        return "" if self.paused else self.cron.next(now) or ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule as the ledger has it. `next` is the run it waits for, None while it is paused."""

    id: str
    tenant: str
    version: int
    created: int
    updated: int
    next: int | None
    definition: Definition
    runs: tuple[Run, ...] = ()

    @classmethod
    def parse(cls, schedule_id: str, flat: Sequence[str], runs: Sequence[str] = ()) -> Self | None:
        """None for an empty hash. Its expression was checked when it was made."""
        if not flat:
            return None
        given = pairs(flat)
        inputs = {name: Blob.model_validate(blob) for name, blob in json.loads(given.get("inputs") or "{}").items()}
        late = given.get("late")
        definition = Definition(
            given["kind"],
            Cron(given["cron"], given["zone"]),
            given["request"],
            paused=given.get("paused") == "1",
            late=int(late) if late else None,
            inputs=inputs,
            caps=Caps(*json.loads(given["caps"])),
        )
        times = (int(given["version"]), int(given["created"]), int(given["updated"]))
        due = int(given["next"]) if given.get("next") else None
        return cls(schedule_id, given["tenant"], *times, due, definition, tuple(Run.parse(run) for run in runs))


def _answer(reply: Sequence[str]) -> Answer:
    return Answer(reply[0], reply[1] if len(reply) > 1 else "")


def add(schedule_id: str, tenant: str, what: Definition, *, now: int, idempotency: tuple[str, str] | None = None) -> Call[Answer]:
    """Answers: accepted (id), replayed (the id that this idempotency key made), mismatch, quota (how many there are)."""
    key, digest = idempotency or ("", "")
    return Call("schedule_add", (schedule_id, tenant, MOST, key, digest, IDEMPOTENCY_TTL, what.following(now), *what.fields()), _answer)


def change(was: Schedule, what: Definition, *, now: int) -> Call[Answer]:
    """Another definition. Answers: ok (version), stale (version: it was changed meanwhile), unknown.

    Its next run is the first from now on; where its times stay as they were, that run stays, too, be it due this very moment.
    """
    same = (what.cron, what.paused) == (was.definition.cron, was.definition.paused)
    following = (was.next or "") if same else what.following(now)
    return Call("schedule_change", (was.id, was.tenant, was.version, following, *what.fields()), _answer)


def delete(schedule_id: str, tenant: str, version: str = "") -> Call[Answer]:
    """Answers: ok, stale (version), unknown. The jobs it made stay."""
    return Call("schedule_delete", (schedule_id, tenant, version), _answer)


def read(schedule_id: str) -> Call[Schedule | None]:
    """One schedule with its last runs."""
    return Call("schedule", (schedule_id,), lambda reply: Schedule.parse(schedule_id, reply[0], reply[1]))


def page(tenant: str, *, cursor: str = "", most: int = 50) -> Call[list[Schedule]]:
    """A tenant's schedules, newest first, below the id `cursor`."""
    return Call("schedules", (tenant, cursor, most), lambda reply: [found for each in reply if (found := Schedule.parse(*each))])


def ticks(most: int = 200) -> Call[tuple[int, list[tuple[str, list[str]]]]]:
    """The ledger's time, and the schedules with a run due: (id, hash), to be read by `Schedule.parse`."""
    return Call("ticks", (most,), lambda reply: (int(reply[0]), [(item[0], item[1]) for item in reply[1]]))


def tick(
    schedule: Schedule, run: Run, *, following: int | None, missed: Run | None = None, accept: Call[Answer] | None = None
) -> Call[Answer]:
    """One run: its job (`accept`, as `calls.accept` makes it), the note of it, and the next run's time, all or nothing.

    Answers: what `accept` answers; noted without it; stale where the schedule changed or somebody else made this run.
    """
    expected: Arg = "" if run.by_hand or schedule.next is None else schedule.next
    notes = (missed.text() if missed else "", run.text())
    head: tuple[Arg, ...] = (schedule.id, schedule.version, expected, "" if following is None else following, *notes, AGAIN_MS)
    return Call("tick", (*head, *(accept.args if accept else ())), _answer)
