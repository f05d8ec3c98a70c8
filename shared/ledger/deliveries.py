"""Webhooks' deliveries in a service's ledger: what can be said about them, and how they are read. Times are Unix milliseconds.

A delivery is owed from the script that writes its event, and its id is the event's: the job's id, a colon, the event's number.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.events import JobEvent
from shared.ledger.calls import Answer, Call
from shared.ledger.record import legible_json, loaded, pairs

State = Literal["pending", "delivered", "failed"]
Word = Literal["delivered", "again", "failed", "gone", "back"]


def job_of(delivery_id: str) -> str:
    """The job that a delivery tells of."""
    return delivery_id.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is ours to attempt, for as long as the lease lasts. `number` is the attempt's, and fences what is said of it.

    `tries` failed in this round, whose first attempt was at `since`; `trace` is the W3C context of the request that made the job.
    """

    id: str
    number: int
    tries: int
    since: int
    tenant: str
    url: str
    kind: str
    trace: Mapping[str, str]
    told: str

    @property
    def event(self) -> JobEvent:
        """What it tells. Raises ValidationError where a newer release wrote it: such a one must not keep others from being read."""
        return JobEvent.model_validate({**json.loads(self.told), "seq": int(self.id.rpartition(":")[2])})

    @property
    def job(self) -> str:
        """The job that it tells of."""
        return job_of(self.id)


def _taken(reply: Sequence[Any]) -> Taken:
    delivery_id, number, tries, since, tenant, url, kind, trace, line = reply
    return Taken(delivery_id, int(number), int(tries), int(since), tenant, url, kind, loaded(trace) or {}, line)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many deliveries may be out at once to one receiver (a tenant's host), to one that fails, and for one tenant."""

    receiver: int = 4
    failing: int = 1
    tenant: int = 24


def take(most: int, *, lease_ms: int, limits: Limits) -> Call[tuple[int, list[Taken]]]:
    """The ledger's time, and at most `most` deliveries that are due, receivers in turn."""
    args = (most, lease_ms, limits.receiver, limits.failing, limits.tenant)
    return Call("deliver", args, lambda reply: (int(reply[0]), [_taken(item) for item in reply[1]]))


def renew(held: Sequence[tuple[str, int]], *, lease_ms: int) -> Call[int]:
    """Still at these attempts, (id, number) each; how many of them are ours yet."""
    return Call("delivering", (lease_ms, *(part for each in held for part in each)), int)


def ended(delivery: Taken, word: Word, attempt: Mapping[str, Any] | None, *, delay_ms: int = 0, hold_ms: int = 0) -> Call[Answer]:
    """How an attempt ended. `attempt` is for the log; `hold_ms`: for how long the receiver wants to hear nothing at all.

    Answers: ok (the delivery's state), stale (another attempt is under way, or was), unknown (the job was deleted).
    """
    noted = legible_json(attempt) if attempt else ""
    return Call("delivery_ended", (delivery.id, delivery.number, word, noted, delay_ms, hold_ms), _answer)


def again(delivery_id: str, tenant: str) -> Call[Answer]:
    """Send it again, now. Answers: ok (its state), unknown."""
    return Call("delivery_again", (delivery_id, tenant), _answer)


def _answer(reply: Sequence[str]) -> Answer:
    return Answer(reply[0], reply[1] if len(reply) > 1 else "")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is kept. `next`: when it is tried next; `log`: its attempts, oldest first, the last thirty."""

    id: str
    url: str
    type: str
    state: State
    made: int
    number: int
    next: int | None
    ended: int | None
    reason: str
    log: tuple[Mapping[str, Any], ...]


def _delivery(reply: Sequence[str]) -> Delivery:
    delivery_id, url, text = reply
    kept = json.loads(text)
    times = {name: None if kept.get(name) is None else int(kept[name]) for name in ("next", "ended")}
    return Delivery(
        delivery_id,
        url,
        kept["type"],
        kept["state"],
        int(kept["made"]),
        int(kept["number"]),
        times["next"],
        times["ended"],
        kept.get("reason", ""),
        tuple(kept.get("log", ())),
    )


def read(delivery_id: str, tenant: str) -> Call[Delivery | None]:
    """One of a tenant's deliveries."""
    return Call("delivery", (delivery_id, tenant), lambda reply: _delivery(reply) if reply else None)


def page(tenant: str, *, state: str = "", job: str = "", below: tuple[int, str] | None = None, most: int = 50) -> Call[list[Delivery]]:
    """A tenant's deliveries, newest first, from below a (time made, id) on."""
    ms, cursor = below or ("", "")
    return Call("delivery_list", (tenant, state, job, ms, cursor, most), lambda reply: [_delivery(item) for item in reply])


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service's webhooks fare. Ages in seconds; `heard`: since a deliverer last looked, None where none ever did.

    `counts` since the ledger began: delivered, failed, attempts_failed, lost, resent.
    """

    pending: int
    out: int
    oldest_age: float
    failing: int
    counts: Mapping[str, int]
    heard: float | None


def standing() -> Call[Standing]:
    """One look."""

    def parse(reply: Any) -> Standing:
        pending, out, oldest, failing, counts, seen, now = reply

        def age(at: str) -> float:
            return max(0, int(now) - int(float(at))) / 1000

        kept = {name: int(n) for name, n in pairs(counts).items()}
        return Standing(int(pending), int(out), age(oldest) if oldest else 0.0, int(failing), kept, age(seen) if seen else None)

    return Call("deliveries_standing", (), parse)
