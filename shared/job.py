"""What a handler sees of its job: the only door between domain work and the platform.

A handler is `def handler(command, job) -> Result | FanOut`. It reports progress, opens its inputs, publishes artifacts and
looks for a cancel through this protocol, and raises `PermanentError` or `TransientError` to say what happens next. Domain
modules take the narrower `Progress` and `Checkpoint` callables, so that they are tested without any of this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from shared.contracts.base import Artifact, Blob, Command
from shared.contracts.options import Priority
from shared.contracts.states import State
from shared.past import Past

T_co = TypeVar("T_co", covariant=True)


class Progress(Protocol):
    """Says how far the work is: `fraction` 0 to 1, a constant `step`, a `detail` for people, seconds to go if known."""

    def __call__(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Report; cheap enough to be called in a tight loop (the platform throttles it)."""


Checkpoint = Callable[[], None]
"""Raises `JobCanceled` once the user asked for it; call it at least every second of work."""

ChildPolicy = Literal["fail", "count"]
"""What a failed child means: the parent fails at once, or it is only counted."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child job to make: its command, and its share of the parent's progress."""

    command: Command
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class FanOut:
    """Returned by a handler whose children do the work: the parent sleeps without worker or lease until they are done."""

    children: Iterable[Child]
    on_failure: ChildPolicy = "fail"
    own_weight: float = 0.0
    """The share of the parent's progress that is left for what it does when they are done."""
    settles: bool = False
    """A cancel ends the children, and then runs the parent once more, to say what became of them (its `Job.canceled` is true)."""


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How a child ended; `result` is its result as JSON, None unless it succeeded."""

    id: str
    index: int
    state: State
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    artifacts: Sequence[Artifact]


@dataclass(slots=True)
class Once:
    """One side effect, as the job's journal knows it while `with job.once(key) as effect:` runs.

    `open`: no run ever began it. `done`: it happened, `value` is what that run kept. `unknown`: a run began it and died or
    failed before it could say; ask the other side, or decide that twice is better than never (or the reverse).
    """

    fate: Literal["open", "unknown", "done"]
    value: Any = None
    """JSON of at most 8 kB, kept with `done`: a receipt, a message id. Set it before the block ends."""
    withdrawn: bool = False

    def withdraw(self) -> None:
        """Say that the effect certainly did not happen, however the block ends: the next try finds it `open`."""
        self.withdrawn = True


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the journal. `begin` before the effect, `done` after it; `open` where it certainly did not happen: the value is kept."""

    key: str
    word: Literal["begin", "done", "open"]
    value: Any = None
    """JSON of at most 8 kB."""


class Coming(Protocol[T_co]):
    """An answer of the ledger that is on its way (see `Effects.post`)."""

    def fileno(self) -> int:
        """The socket that can be read when the answer is there, or will never come."""

    def answer(self) -> T_co:
        """Take the answer, without waiting for it: it is as if it had been waited for. Call this or `drop`, once.

        Raises as what waits for it, and UnavailableError where there is no answer: then ask again and wait.
        """

    def drop(self) -> None:
        """Do not wait for it any more; whether anything was done nobody knows."""


class Effects(Protocol):
    """Many side effects of one job, noted in groups: what `once` is for a single one."""

    def known(self) -> Mapping[str, Once]:
        """All that earlier runs noted: `done`, `unknown` (begun, and no word since), or `open` with a value. Raises StaleTokenError."""

    def note(self, notes: Sequence[Note]) -> None:
        """One atomic step on the ledger: when it returns, what is to begin may begin. Waits out a ledger that is being restarted.

        Raises StaleTokenError where this run no longer holds the job, and then nothing was noted. May be called from any one thread.
        """

    def post(self, notes: Sequence[Note]) -> Coming[None]:
        """The same without waiting, for an event loop. Raises UnavailableError where they cannot be sent: say them with `note`."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Not more than `per_second` of what `name` names."""

    name: str
    per_second: float


@dataclass(frozen=True, slots=True)
class Grant:
    """Go in `wait` seconds; or, where it is not `granted`, ask again in `wait` seconds. `rate` is the one that makes it wait most."""

    granted: bool
    wait: float
    rate: Rate


class Throttles(Protocol):
    """Rates and crowds that all processes of this service share."""

    def slots(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> list[Grant]:
        """A slot for each request under all of its rates (one at least), `horizon` seconds ahead at most.

        Exact over all processes: a rate's slots are evenly spaced, and who comes up to 100 ms late may catch up. Waits out a ledger that
        is being restarted.
        """

    def post(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> Coming[list[Grant]]:
        """The same without waiting, for an event loop. Raises UnavailableError where it cannot be sent: ask with `slots`."""

    def crowd(self, name: str, *, halve: bool = False, more: float = 0.0) -> float:
        """The share, 0 to 1, of what each would like to do at once with `name` that each may do. Halved at most once a second.

        Raises UnavailableError where the ledger does not answer.
        """


class Register(Protocol):
    """A tenant's lasting facts by key, apart from any job (see `shared.ledger.registers`). Waits out a ledger that is being restarted."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """What it has of these keys, in one round trip; JSON values."""

    def keep(self, facts: Mapping[str, Any], *, over: str = "") -> int:
        """Add facts, in one round trip; how many were new. What is there stays as it is, unless `over` is set and stands in its JSON."""

    def remove(self, keys: Sequence[str]) -> int:
        """Forget these keys; how many there were."""

    def page(self, *, after: str = "", most: int = 1_000) -> Mapping[str, Any]:
        """Facts in the order of their keys, beginning behind `after`."""


@dataclass(frozen=True, slots=True)
class PastJob:
    """Another job of the service; `kept` is how the ledger has its artifacts, to the letter."""

    id: str
    tenant: str
    done: bool
    artifacts: Sequence[Artifact]
    kept: str = ""


class Caretaker(Protocol):
    """What upkeep, which belongs to the system and to no tenant, may do for other jobs of its service. Waits out a ledger's restart."""

    def past(self, job_id: str) -> PastJob | None:
        """A job as it is now; None where there is none."""

    def register(self, name: str, *, tenant: str) -> Register:
        """A tenant's register."""

    def open(self, artifact: Artifact) -> AbstractContextManager[Path]:
        """An artifact's bytes as a local file, read-only."""

    def replace(self, past: PastJob, sources: Mapping[str, Path]) -> bool:
        """Put new bytes in the place of a done job's artifacts, all at once; False where it is not done, gone, or changed meanwhile."""

    def tally(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that the service's metrics tell."""


class Job(Protocol):
    """One attempt at one job, seen by its handler. `need`: what its queue promises of this machine (`gpu`), if anything."""

    id: str
    tenant: str
    attempt: int
    epoch: int
    priority: Priority
    need: str | None
    labels: dict[str, str]
    canceled: bool
    """The user cancelled; this run only settles up (see `FanOut.settles`), and its result and artifacts go to the canceled job."""
    waited: float
    """Seconds for which this attempt was ready and no worker took it: since its acceptance, its time (a retry's, `run_at`), its rescue."""

    @property
    def workdir(self) -> Path:
        """A private, empty folder for this attempt, made when first asked for; removed when the attempt ends, however it ends."""

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Report how far the work is (see `Progress`)."""

    def checkpoint(self) -> None:
        """Raise `JobCanceled` if the user cancelled, `StaleTokenError` if the lease was lost."""

    def outranked(self) -> bool:
        """Does a more urgent job wait, or is this one paused? One that can makes room: `raise JobPostponed(…, seconds=0)`. Cheap to ask."""

    def awaited(self) -> bool:
        """Does any job of this service wait for a worker, be it no more urgent than this one? As cheap."""

    def input(self, upload: str) -> Blob:
        """The blob that an `UploadId` of the command stands for."""

    def open(self, blob: Blob) -> AbstractContextManager[Path]:
        """The blob as a local file, read-only: the storage's own where it is a folder, else a temporary copy."""

    def publish(self, name: str, source: Path | bytes, media_type: str, *, at_once: bool = False) -> Artifact:
        """Store an artifact of this job under `name`; it becomes visible with the job's result.

        `at_once`: it can be fetched from now on, and a `job.progressed` event whose data has it as `artifact` says so.
        """

    def publish_above(self, files: Mapping[str, Path | bytes], media_types: Mapping[str, str], rank: int) -> bool:
        """Store artifacts and show them, all in one step, as those of the parent that waits for this child: what is done so far.

        An event of the parent tells of the last one. Names that the parent has already stand for the new bytes from then on. False, and
        nothing is shown, where somebody showed this `rank` (1, 2, …; 0: it has none) or a higher one before, or where no parent waits.
        """

    def own_artifact(self, name: str) -> Blob | None:
        """What this job published under this name, be it before it fanned out."""

    def stash(self, name: str, source: Path | bytes, media_type: str = "application/octet-stream") -> Blob:
        """Store bytes that belong to the job but that users do not see (a child's input)."""

    def children(self) -> Sequence[ChildResult] | None:
        """None before the fan-out; afterwards how each child ended, in order."""

    def once(self, key: str) -> AbstractContextManager[Once]:
        """A side effect that no later run of this job repeats once it is done; `key` (1-200 characters) names it within the job.

            with job.once(f"charge-{order}") as effect:
                if effect.fate == "open" or (effect.fate == "unknown" and not bank.has(order)):
                    effect.value = bank.charge(order)

        The block's end means done; an exception out of it leaves `unknown`, unless `effect.withdraw()` was called. The journal outlives
        attempts and redrives. Raises StaleTokenError where this run no longer holds the job, before the effect begins.
        """

    def effects(self) -> Effects:
        """The same journal for thousands of effects: begun and done in groups, one round trip each."""

    def effects_of(self, child: ChildResult) -> Mapping[str, Once]:
        """What a child that did not succeed noted in its journal (it is gone where the child succeeded)."""

    def past(self, job_id: str) -> Past | None:
        """An earlier job of this service and tenant, once it is done; None where there is none (any more), or it is not done."""

    def secret(self, name: str) -> bytes:
        """The service's secret of this name, 64 bytes: the same one in every worker and gateway of the installation."""

    def throttles(self) -> Throttles:
        """What all processes of the service share."""

    def register(self, name: str) -> Register:
        """The tenant's register of this name."""

    def caretaker(self) -> Caretaker:
        """For upkeep jobs. Raises PermissionError for a job of a tenant's."""
