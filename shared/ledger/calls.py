"""What one can say to a ledger, without saying how: each function builds a `Call`, which `store` runs, sync or async.

A call names its script, its arguments and how to read the answer. Times and durations are in (Unix) ms, unless the name says otherwise.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.contracts.events import JobEvent
from shared.contracts.states import State
from shared.errors import StaleTokenError
from shared.job import ChildPolicy
from shared.ledger import standing
from shared.ledger.record import JobRecord, legible_json, loaded

T_co = TypeVar("T_co", covariant=True)
Arg = str | int | float
IDEMPOTENCY_TTL = 86_400
PARENT_EVENT_MS = 500


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One script with its arguments; `parse` turns the reply (text, lists of text) into what the caller wants."""

    script: str
    args: tuple[Arg, ...]
    parse: Callable[[Any], T_co]


@dataclass(frozen=True, slots=True)
class Answer:
    """A word and what belongs to it: ('accepted', id), ('mismatch', ''), ('conflict', state), and so on."""

    word: str
    detail: str = ""


def _answer(reply: Sequence[str]) -> Answer:
    return Answer(reply[0], reply[1] if len(reply) > 1 else "")


def held_state(reply: Sequence[str]) -> State:
    """The state in a reply. Raises StaleTokenError where the writer no longer holds the job."""
    if reply[0] == "stale":
        raise StaleTokenError("the ledger refused the write: this attempt no longer holds the job")
    return State(reply[1])


@dataclass(frozen=True, slots=True)
class NewJob:
    """Everything a new job's record holds. `request` is the command's JSON, or '' with `request_blob` where it is large."""

    id: str
    kind: str
    tenant: str
    queue: str
    request: str
    bell: str = ""
    request_blob: str = ""
    inputs: str = ""
    labels: Mapping[str, str] | None = None
    trace: Mapping[str, str] | None = None
    run_at: int | None = None
    expires_at: int | None = None
    max_attempts: int | None = None
    webhook: Mapping[str, str] | None = None
    running_cap: int | None = None

    def fields(self) -> list[Arg]:
        """Field, value, field, value …: only what is set."""
        known: dict[str, Arg | None] = {
            "kind": self.kind,
            "tenant": self.tenant,
            "queue": self.queue,
            "request": self.request,
            "bell": self.bell,
            "request_blob": self.request_blob,
            "inputs": self.inputs,
            "labels": json.dumps(dict(self.labels)) if self.labels else None,
            "trace": json.dumps(dict(self.trace)) if self.trace else None,
            "run_at": self.run_at,
            "expires": self.expires_at,
            "max": self.max_attempts,
            **(self.webhook or {}),
            "cap": self.running_cap,
        }
        return [item for name, value in known.items() if value not in (None, "") for item in (name, value)]


def accept(
    job: NewJob,
    *,
    idempotency: tuple[str, str] | None = None,
    unique: str = "",
    unique_ttl: int = 0,
    cap: int = 0,
    tenant_cap: int = 0,
) -> Call[Answer]:
    """Accept a job. `idempotency` is (tenant-scoped key, hex hash of the body).

    Answers: accepted (id), replayed (id, or a remembered problem's JSON), mismatch, unique (its holder), full (depth), quota (live jobs).
    """
    key, digest = idempotency or ("", "")
    head: list[Arg] = [job.id, key, digest, IDEMPOTENCY_TTL, unique, unique_ttl, cap, tenant_cap]
    return Call("accept", (*head, *job.fields()), _answer)


def remember(key: str, digest: str, answer: str) -> Call[Answer]:
    """Keep a final 4xx for its idempotency key. Answers: remembered, replayed, mismatch."""
    return Call("remember", (key, digest, IDEMPOTENCY_TTL, answer), _answer)


def claim(
    job_id: str,
    *,
    worker: str,
    pid: int,
    lease_ms: int,
    nonce: str,
    queue: str = "",
    caps: tuple[int, int] = (0, 0),
    urgent: Sequence[str] = (),
) -> Call[JobRecord | Answer]:
    """Claim the job whose turn it is in `queue` ('': this very job): its record, or the word why this doorbell is to be ignored.

    Without a `job_id` the doorbell is the next one in the broker's list, where broker and ledger are one server and nothing waits in the
    `urgent` queues; the word none where there is no such doorbell. Where they are two, no doorbell is asked for: for a broker that is away.

    `caps`: jobs that may run at once in the service, and for one tenant in it; 0: any number.
    """

    def parse(reply: Any) -> JobRecord | Answer:
        record = JobRecord.parse(reply[2], reply[1]) if reply[0] == "claimed" else None
        return record or _answer(reply)

    return Call("claim", (job_id, worker, pid, lease_ms, nonce, queue, *caps, *urgent), parse)


@dataclass(frozen=True, slots=True)
class Held:
    """A job that a worker holds, as its parent process sees it."""

    id: str
    token: int
    pid: int
    state: State


def renew(worker: str, *, lease_ms: int, info: Mapping[str, Any], ttl_s: int = 60) -> Call[list[Held]]:
    """Renew all leases of a worker, with its heartbeat. Answers what it holds."""
    return Call(
        "renew",
        (worker, lease_ms, json.dumps(dict(info)), ttl_s),
        lambda reply: [Held(item[0], int(item[1]), int(item[2] or 0), State(item[3])) for item in reply],
    )


def progress(job_id: str, token: int, fraction: float, body: Mapping[str, Any], *, event: bool) -> Call[State]:
    """Note how far a job is; the state comes back, so that a cancel is learnt on the way. Raises StaleTokenError."""
    args = (job_id, token, f"{fraction:.6f}", legible_json(body), "1" if event else "0", PARENT_EVENT_MS)
    return Call("progress", args, held_state)


def peek(job_id: str, token: int) -> Call[State]:
    """Does this attempt still hold its job? `canceling` says that it is to stop. Raises StaleTokenError."""
    return Call("peek", (job_id, token), held_state)


def succeed(job_id: str, token: int, result: str, artifacts: str) -> Call[State]:
    """End a job well. Raises StaleTokenError."""
    return Call("succeed", (job_id, token, result, artifacts, PARENT_EVENT_MS), held_state)


def fail(job_id: str, token: int, error: Mapping[str, Any], *, retryable: bool, delay_ms: int, policy_attempts: int) -> Call[State]:
    """An attempt failed: retry later or dead-letter, as budget and policy say. Raises StaleTokenError."""
    return Call("fail", (job_id, token, legible_json(error), "1" if retryable else "0", delay_ms, policy_attempts), held_state)


def lose(job_id: str, token: int, *, budget: int, why: Mapping[str, Any]) -> Call[State]:
    """The job's process died. Raises StaleTokenError."""
    return Call("lose", (job_id, token, budget, legible_json(why)), held_state)


def release(job_id: str, token: int, reason: str) -> Call[State]:
    """Give a job back without burning an attempt. Raises StaleTokenError."""
    return Call("release", (job_id, token, reason), held_state)


def postpone(job_id: str, token: int, *, delay_ms: int, reason: str) -> Call[State]:
    """Go on later, of the handler's own accord: no attempt burned, no error counted. Raises StaleTokenError."""
    return Call("postpone", (job_id, token, delay_ms, reason), held_state)


def canceled(job_id: str, token: int) -> Call[State]:
    """The handler stopped on a cancel. Raises StaleTokenError."""
    return Call("canceled", (job_id, token), held_state)


def cancel(job_id: str, tenant: str, reason: str = "cancelled on request") -> Call[Answer]:
    """Ask for a cancel. Answers: ok (state), done (state), unknown."""
    return Call("cancel", (job_id, tenant, reason), _answer)


def spawn(parent: str, token: int, children: Iterable[tuple[int, Sequence[Arg]]]) -> Call[State]:
    """Make children: (index, fields as of `NewJob.fields` plus parent, index, weight). Raises StaleTokenError."""
    args: list[Arg] = [parent, token]
    for index, fields in children:
        args += [index, len(fields), *fields]
    return Call("spawn", tuple(args), held_state)


def suspend(
    parent: str, token: int, *, total: int, weight: float, on_failure: ChildPolicy, artifacts: str = "[]", settles: bool = False
) -> Call[State]:
    """All children are made; sleep until they are done (`settles`: see `shared.job.FanOut`). Raises StaleTokenError."""
    return Call("suspend", (parent, token, total, weight, on_failure, artifacts, "1" if settles else ""), held_state)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look of the reconciler changed; `mine` False: another worker does the looking at present."""

    mine: bool
    due: int = 0
    rescued: int = 0
    expired: int = 0
    rung_again: int = 0
    mended: int = 0


def reconcile(worker: str, *, budget: int, most: int, depths: Mapping[str, int]) -> Call[Look]:
    """One look, unless another worker holds the short lock. A depth of -1 is counted by the script itself."""
    args: list[Arg] = [worker, budget, most]
    for queue, depth in depths.items():
        args += [queue, depth]
    return Call("reconcile", tuple(args), lambda reply: Look(bool(reply[0]), *(int(n) for n in reply[1:])))


def outbox(most: int = 100) -> Call[list[str]]:
    """Take ids whose doorbell is still to be published (only where the broker is another server)."""
    return Call("outbox", (most,), list)


def unsent(job_ids: Sequence[str]) -> Call[Answer]:
    """Back to the front of the outbox with what the broker did not take."""
    return Call("unsent", tuple(job_ids), lambda reply: Answer(reply[0]))


def redrive(job_id: str, tenant: str, *, request: str = "", bell: str = "") -> Call[Answer]:
    """Open a new epoch. Answers: ok, conflict (state), unknown."""
    return Call("redrive", (job_id, tenant, request, bell), _answer)


def read(job_id: str) -> Call[JobRecord | None]:
    """The whole record with its attempt log."""
    return Call("read", (job_id,), lambda reply: JobRecord.parse(job_id, reply[0], reply[1]))


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some of a job's events, with the job's state and its last event's number ('' and 0: no such job)."""

    state: str
    last: int
    events: list[JobEvent]


def events(job_id: str, *, after: int = 0, most: int = 500) -> Call[EventPage]:
    """Events with numbers above `after`."""

    def parse(reply: Any) -> EventPage:
        found = [JobEvent.model_validate({**json.loads(line), "seq": number}) for number, line in enumerate(reply[2], after + 1)]
        return EventPage(reply[0], int(reply[1]), found)

    return Call("events", (job_id, after, most), parse)


def children(parent: str, *, start: int, most: int = 200) -> Call[list[tuple[int, State, Any, Any, Any]]]:
    """How children ended: (index, state, result, error, artifacts), the last three as JSON values or None."""

    def parse(reply: Any) -> list[tuple[int, State, Any, Any, Any]]:
        return [(int(r[0]), State(r[1]), loaded(r[2]), loaded(r[3]), loaded(r[4])) for r in reply]

    return Call("children", (parent, start, most), parse)


def jobs(tenant: str, *, state: str = "", cursor: str = "", most: int = 50) -> Call[list[JobRecord]]:
    """A tenant's jobs, newest first."""
    return Call("jobs", (tenant, state, cursor, most), lambda reply: [job for r in reply if (job := JobRecord.parse(r[0], r[1]))])


def stats(queues: Sequence[str], *, catalogue: bool = False) -> Call[dict[str, Any]]:
    """One look at a service: queues, limits, states, dead, due, workers, counters; the catalogue is empty unless asked for."""
    return Call("stats", ("1" if catalogue else "", *queues), standing.of)
