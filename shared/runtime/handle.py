"""The `Job` that a handler sees: progress, cancel, inputs and artifacts, each fenced by the attempt's token."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import structlog

from shared import telemetry
from shared.bus import alike, more_urgent, need_of, priority_of
from shared.contracts.base import Artifact, Blob
from shared.contracts.states import State
from shared.errors import JobCanceled, PermanentError, UnavailableError
from shared.job import Caretaker, ChildResult, Effects, Once, Register, Throttles
from shared.ledger import calls, effects, precedence, secrets, showing
from shared.ledger.ids import SYSTEM_TENANT
from shared.ledger.record import JobRecord
from shared.past import Past
from shared.runtime import guard, journal
from shared.runtime.caretaker import LedgerCaretaker
from shared.runtime.lasting import LedgerRegister, LedgerThrottles
from shared.runtime.patience import patiently
from shared.runtime.runtime import Runtime
from shared.storage import job_folder, safe_key

log = structlog.get_logger()
WRITE_EVERY = 0.25
"""Seconds between two progress writes of one job: four a second is what eyes take in."""
EVENT_EVERY = 1.0
"""Seconds between two progress *events* within a step; a new step is told at once. Keeps an hour's job at a few thousand events."""
PEEK_EVERY = 1.0
RANK_EVERY = 0.5


class JobHandle:
    """Implements `shared.job.Job` for one attempt."""

    def __init__(self, runtime: Runtime, record: JobRecord, workdir: Path) -> None:
        self.id = record.id
        self.tenant = record.tenant
        self.attempt = record.number("attempt")
        self.epoch = record.number("epoch")
        self.priority = priority_of(record.text("queue"))
        self.labels: dict[str, str] = record.json("labels") or {}
        self.need = need_of(record.text("queue"), runtime.service.contract)
        self.waited = record.number("waited") / 1000
        self._workdir = workdir
        self.artifacts: list[Artifact] = list(record.artifacts)  # of a parent, what it published before it fanned out
        self._runtime = runtime
        self._record = record
        self.canceled = record.state is State.CANCELING
        self._state = State.RUNNING if self.canceled else record.state  # it is let be until it has settled up
        self._step = ""
        self._body: dict[str, Any] = {"fraction": 0.0, "step": str(record.state), "detail": "", "eta_seconds": None}
        self._above = more_urgent(record.text("queue"))
        self._written = self._told = self._peeked = self._ranked = self._wanted = float("-inf")

    @property
    def workdir(self) -> Path:
        """A private folder for this attempt, made when first asked for."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        return self._workdir

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Report how far the work is. A ledger that does not answer for a moment does not stop the work."""
        now = time.monotonic()
        if now - self._written < WRITE_EVERY and step == self._step:
            return
        tell = step != self._step or now - self._told >= EVENT_EVERY
        self._written, self._step = now, step
        if tell:
            self._told = now
        fraction = min(1.0, max(0.0, fraction))
        self._body = {"fraction": round(fraction, 4), "step": step, "detail": detail, "eta_seconds": eta_seconds}
        try:
            self._state = self._runtime.ledger.run(calls.progress(self.id, self._record.token, fraction, self._body, event=tell))
        except UnavailableError as error:
            log.warning("progress_not_noted", detail=str(error))

    def checkpoint(self) -> None:
        """Raise JobCanceled or StaleTokenError if this attempt is to stop. Looks at the ledger once a second, or at once when nudged."""
        now = time.monotonic()
        if self._state is not State.CANCELING and (guard.nudged() or now - self._peeked >= PEEK_EVERY):
            self._peeked = now
            try:
                self._state = self._runtime.ledger.run(calls.peek(self.id, self._record.token))
            except UnavailableError as error:
                log.warning("cancel_not_looked_for", detail=str(error))
        if self._state is State.CANCELING:
            raise JobCanceled

    def outranked(self) -> bool:
        """Does a more urgent job wait, or is this one paused? Looks at the ledger once in a while; one that does not answer says no."""
        now = time.monotonic()
        if now - self._ranked < RANK_EVERY:
            return False
        self._ranked = now
        return self._waits_in(self._above)

    def awaited(self) -> bool:
        """Does any job wait? As `outranked`, the own queue and those below it included."""
        now = time.monotonic()
        if now - self._wanted < RANK_EVERY:
            return False
        self._wanted = now
        return self._waits_in(alike(self._record.text("queue")))

    def _waits_in(self, queues: Sequence[str]) -> bool:
        try:
            return self._runtime.ledger.run(precedence.outranked(self.id, queues))
        except UnavailableError as error:
            log.warning("precedence_not_looked_for", detail=str(error))
            return False

    def input(self, upload: str) -> Blob:
        """The blob that an upload id of the command stands for."""
        blob = self._record.inputs.get(upload)
        if blob is None:
            raise PermanentError(f"the upload {upload} is not among the job's inputs", type="unknown-upload")
        return blob

    @contextmanager
    def open(self, blob: Blob) -> Iterator[Path]:
        """The blob as a local file, read-only."""
        with ExitStack() as stack:
            with telemetry.step("fetch input", **{"counterfoil.bytes": blob.bytes}):
                path = stack.enter_context(self._runtime.storage.local(blob.key))
            yield path

    def publish(self, name: str, source: Path | bytes, media_type: str, *, at_once: bool = False) -> Artifact:
        """Store an artifact. The fencing token is in its key, so that a zombie's bytes never replace its successor's."""
        self.checkpoint()
        with telemetry.step("store artifact", **{"counterfoil.artifact": name}):
            stored = self._runtime.storage.put(self._key("artifacts", name), source, media_type)
        artifact = Artifact(name=name, key=stored.key, bytes=stored.bytes, sha256=stored.sha256 or "", media_type=media_type)
        self.artifacts = [other for other in self.artifacts if other.name != name] + [artifact]
        if at_once:
            self._show(artifact)
        return artifact

    def _show(self, artifact: Artifact) -> None:
        """Visible before the job's end. A ledger that does not answer for a moment does not stop the work: the result will show it."""
        body = {**self._body, "artifact": artifact.model_dump(exclude={"key"})}
        try:
            self._state = self._runtime.ledger.run(showing.show(self.id, self._record.token, self.artifacts, body))
        except UnavailableError as error:
            log.warning("artifact_not_shown", detail=str(error))

    def publish_above(self, files: Mapping[str, Path | bytes], media_types: Mapping[str, str], rank: int) -> bool:
        """Store artifacts and show them as the waiting parent's. Bytes of a zombie lie under its own token, and are not shown."""
        self.checkpoint()
        made = []
        with telemetry.step("store artifacts", **{"counterfoil.artifacts": len(files)}):
            for name, source in files.items():
                stored = self._runtime.storage.put(self._key("above", name), source, media_types[name])
                made.append(
                    Artifact(name=name, key=stored.key, bytes=stored.bytes, sha256=stored.sha256 or "", media_type=media_types[name])
                )
        if not made:
            return False
        return patiently(self._runtime, showing.show_above(self.id, self._record.token, made, made[-1], rank))

    def own_artifact(self, name: str) -> Blob | None:
        """What this job published under this name, be it before it fanned out."""
        made = next((each for each in self.artifacts if each.name == name), None)
        return None if made is None else Blob(key=made.key, bytes=made.bytes, sha256=made.sha256)

    def stash(self, name: str, source: Path | bytes, media_type: str = "application/octet-stream") -> Blob:
        """Store bytes that users do not see."""
        return self._runtime.storage.put(self._key("stash", name), source, media_type)

    def children(self) -> Sequence[ChildResult] | None:
        """How the children ended, in order; None before the fan-out."""
        if not self._record.text("sealed"):
            return None
        total, found = self._record.number("total"), list[ChildResult]()
        while len(found) < total:
            page = self._runtime.ledger.run(calls.children(self.id, start=len(found)))
            if not page:
                break
            for index, state, result, error, artifacts in page:
                made = tuple(Artifact.model_validate(item) for item in artifacts or [])
                found.append(ChildResult(f"{self.id}.{index}", index, state, result, error, made))
        return found

    def effects(self) -> Effects:
        """Many side effects, noted in groups (see `shared.job.Effects`)."""
        fresh = self._runtime.service.policy.lease / 3
        run, post = (lambda call: patiently(self._runtime, call)), self._runtime.ledger.post
        return journal.Journal(run, self.id, self._record.token, fresh=fresh, post=post)

    def effects_of(self, child: ChildResult) -> Mapping[str, Once]:
        """What a child that did not succeed noted."""
        return journal.as_kept(patiently(self._runtime, effects.known(child.id, None)))

    def once(self, key: str) -> AbstractContextManager[Once]:
        """A side effect that no later run repeats once it is done (see `shared.job.Job.once`)."""
        fresh = self._runtime.service.policy.lease / 3  # renewed twice a second: at the moment of asking, nearly all of it was left
        return journal.once(lambda call: patiently(self._runtime, call), self.id, self._record.token, key, fresh=fresh)

    def past(self, job_id: str) -> Past | None:
        """An earlier job of this service and tenant, once it is done."""
        found = patiently(self._runtime, calls.read(job_id))
        if found is None or found.tenant != self.tenant or not found.done:
            return None
        blob = found.json("request_blob")
        request = self._runtime.storage.read(blob["key"]) if blob else found.text("request").encode()
        return Past(found.id, found.kind, found.state, request, found.artifacts, found.inputs)

    def secret(self, name: str) -> bytes:
        """A secret of the service."""
        return patiently(self._runtime, secrets.secret(name))

    def register(self, name: str) -> Register:
        """The tenant's register of this name (see `shared.job.Register`)."""
        return LedgerRegister(lambda call: patiently(self._runtime, call), self.tenant, name)

    def caretaker(self) -> Caretaker:
        """For upkeep: other jobs of the service."""
        if self.tenant != SYSTEM_TENANT:
            raise PermissionError("only the service's own upkeep looks after other jobs")
        return LedgerCaretaker(self._runtime)

    def throttles(self) -> Throttles:
        """What all processes of the service share (see `shared.job.Throttles`)."""
        return LedgerThrottles(lambda call: patiently(self._runtime, call), self._runtime.ledger)

    def _key(self, *parts: str) -> str:
        return f"{job_folder(self.id)}/{self._record.token}/" + safe_key(*[piece for part in parts for piece in part.split("/")])
