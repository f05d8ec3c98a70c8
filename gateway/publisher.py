"""Accepting a job: from a body to a ticket, in one step on the ledger.

Hot path. What the user sent is validated once, kept as it was sent, and never taken apart again here.
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from gateway import views
from gateway.bodies import may_overflow, parsed, validated
from gateway.inputs import upload_ids
from gateway.keys import Principal
from gateway.ledgers import Desk, Ledgers
from gateway.problems import Problem
from gateway.uploads import Uploads
from gateway.webhooks import refuse_unreachable
from shared import telemetry
from shared.accepting import Written, heard, new_job, queue_of, unique_of
from shared.contracts.base import Blob, Command
from shared.errors import PermanentError
from shared.ledger import calls, ids
from shared.ledger.calls import Answer
from shared.ledger.schedules import Caps, Run, Schedule, tick
from shared.recurring import accepting

AnyCommand = TypeVar("AnyCommand", bound=Command)

INLINE = 65_536
"""Bytes of a request that travel in the message; larger ones go by reference (the claim-check pattern)."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a submit is answered with."""

    job: views.Json
    replayed: bool = False


class Publisher:
    """Turns submissions into jobs. `max_queued` is the most jobs a service may have waiting."""

    def __init__(self, ledgers: Ledgers, uploads: Uploads, *, max_queued: int) -> None:
        self._ledgers = ledgers
        self._uploads = uploads
        self._max_queued = max_queued
        self._in_flight: set[str] = set()

    async def submit(self, kind: type[Command], body: bytes, who: Principal, *, key: str | None = None) -> Ticket:
        """Accept a submission. `key` is the client's idempotency key. Raises every Problem of a submit."""
        if key is None:
            return await self._accept(kind, body, who, None)
        scoped = f"{who.tenant}:{key}"
        if scoped in self._in_flight:
            raise Problem("idempotency-in-flight", "a request with this idempotency key is being answered; ask again in a moment")
        self._in_flight.add(scoped)
        try:
            return await self._accept(kind, body, who, (scoped, _digest(kind.kind, body)))
        finally:
            self._in_flight.discard(scoped)

    async def _accept(self, kind: type[Command], body: bytes, who: Principal, idempotency: tuple[str, str] | None) -> Ticket:
        desk = self._ledgers.desks[kind.service()]
        try:
            command = _command(kind, body)
        except Problem as problem:
            if idempotency is not None and (before := await self._remember(desk, idempotency, problem)):
                return before
            raise
        job_id = ids.new(desk.contract.name)
        inputs = {name: await self._uploads.resolve(name, who.tenant, pointer) for name, pointer in upload_ids(command)}
        request = command.model_dump_json(by_alias=True, exclude_unset=True)
        queue = await self._queue(desk, command)
        with telemetry.publish_span(desk.contract.name, kind.kind, job_id, queue=queue):
            trace = telemetry.carrier()
            blob = await self._stored(desk, job_id, request) if len(request) > INLINE else None
            written = Written(job_id, who.tenant, queue, request, blob, inputs, trace, who.limits.running_jobs)
            new = new_job(desk.bus, command, written)
            unique, unique_ttl = unique_of(who.tenant, command)
            answer = await desk.ledger.run(
                calls.accept(
                    new,
                    idempotency=idempotency,
                    unique=unique,
                    unique_ttl=unique_ttl,
                    cap=self._max_queued,
                    tenant_cap=who.limits.live_jobs or 0,
                )
            )
            if answer.word == "accepted":
                desk.postman.call()
        if blob is not None and answer.word != "accepted":
            await asyncio.to_thread(desk.storage.delete, blob.key)
        if answer.word == "accepted":
            shown = {"stored": {"bytes": blob.bytes, "sha256": blob.sha256}} if blob else from_json(request)
            run_at = new.run_at
            return Ticket(views.accepted(job_id, kind.kind, shown, run_at=run_at, labels=command.options.labels, trace=trace))
        return await self._otherwise(desk, answer)

    async def run(self, desk: Desk, schedule: Schedule, who: Principal, *, key: str | None = None) -> Ticket:
        """A run of a schedule, by hand and at once, noted among its runs. Raises the Problems of a submit."""
        kept = (f"{who.tenant}:{key}", _digest(schedule.id, b"run")) if key is not None else None
        job_id, now = ids.new(desk.contract.name), time.time_ns() // 1_000_000
        caps = Caps(self._max_queued, who.limits.live_jobs or 0, who.limits.running_jobs or 0)
        with telemetry.publish_span(desk.contract.name, schedule.definition.kind, job_id):
            trace, listened = telemetry.carrier(), await self._heard(desk)
            try:
                accept = accepting(schedule, desk.contract, desk.bus, job_id, trace=trace, caps=caps, heard=listened, idempotency=kept)
            except PermanentError as error:
                raise Problem("conflict", str(error)) from error
            run = Run("submitted", now, now, by_hand=True)
            answer = await desk.ledger.run(tick(schedule, run, following=None, accept=accept))
        if answer.word == "stale":
            raise Problem("conflict", "the schedule was changed or deleted this very moment; look at it again")
        if answer.word == "accepted":
            desk.postman.call()
            record = await desk.ledger.run(calls.read(answer.detail))
            if record is not None:
                return Ticket(views.job(record))
        return await self._otherwise(desk, answer)

    async def _queue(self, desk: Desk, command: Command) -> str:
        """Where the command waits. Only one that makes do costs a look at who listens."""
        look = command.need() is not None and command.makes_do()
        return queue_of(desk.contract, command, await self._heard(desk) if look else ())

    async def _heard(self, desk: Desk) -> Collection[str]:
        return heard((await desk.ledger.run(calls.stats(())))["workers"]) if desk.contract.needs else ()

    async def _stored(self, desk: Desk, job_id: str, request: str) -> Blob:
        return await asyncio.to_thread(desk.storage.put, f"jobs/{job_id}/request.json", request.encode(), "application/json")

    async def _otherwise(self, desk: Desk, answer: Answer) -> Ticket:
        match answer.word:
            case "replayed":
                return await _replay(desk, answer.detail)
            case "mismatch":
                raise mismatch()
            case "unique":
                detail = f"the job {answer.detail} has this unique_key and is not done"
                raise Problem("unique-conflict", detail, extra={"job": answer.detail})
            case "quota":
                raise Problem("quota-exceeded", f"{answer.detail} jobs of this tenant are not done; that is as many as this key may have")
            case "full":
                raise Problem("queue-full", f"{answer.detail} jobs of {desk.contract.name} wait already; try again later")
            case _:
                raise AssertionError(f"the ledger answered {answer.word!r}")

    async def _remember(self, desk: Desk, idempotency: tuple[str, str], problem: Problem) -> Ticket | None:
        """A final 4xx is an answer: the same key gets it again, and another body under it is a mismatch.

        A ticket where this very body was accepted before, by a gateway that was less strict.
        """
        kept = json.dumps({"slug": problem.slug, "detail": problem.detail, "errors": list(problem.errors)})
        answer = await desk.ledger.run(calls.remember(*idempotency, kept))
        if answer.word == "mismatch":
            raise mismatch()
        return await _replay(desk, answer.detail) if answer.word == "replayed" else None


async def _replay(desk: Desk, kept: str) -> Ticket:
    """The answer that an idempotency key got before: a job as it is now, or a problem."""
    if kept.startswith("{"):
        before = json.loads(kept)
        raise Problem(before["slug"], before["detail"], errors=before["errors"], headers={"Idempotent-Replayed": "true"})
    record = await desk.ledger.run(calls.read(kept))
    if record is None:
        raise Problem("conflict", f"this idempotency key made the job {kept}, which was deleted since")
    return Ticket(views.job(record), replayed=True)


def mismatch() -> Problem:
    """Another body under a key that was used."""
    return Problem("idempotency-mismatch", "this idempotency key came with another body before; use a new key for a new request")


def _command(kind: type[Command], body: bytes) -> Command:
    """The body as a command; the slow path only runs to say what is wrong."""
    if may_overflow(body):
        return served(validated(kind, parsed(body)))
    try:
        return served(kind.model_validate_json(body, extra="forbid"))
    except ValidationError:
        return served(validated(kind, parsed(body)))


def served(command: AnyCommand) -> AnyCommand:
    """The command, unless it asks for what there is not. Raises Problem 422."""
    if command.options.webhook is not None:
        refuse_unreachable(command.options.webhook)
    return command


def _digest(kind: str, body: bytes) -> str:
    """The same request has the same digest, whatever its spacing and the order of its members."""
    with contextlib.suppress(ValueError, RecursionError):  # not JSON, or nested too deeply: then its bytes are what it is
        body = json.dumps(from_json(body), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(kind.encode() + b"\n" + body).hexdigest()
