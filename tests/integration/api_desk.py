"""A gateway without workers: jobs are driven through their states by the ledger's own calls, as a worker would drive them."""

import itertools
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import redis

from gateway.links import SECRET_KEY, sign_link
from shared.contracts.base import Artifact
from shared.contracts.registry import contracts
from shared.ledger import calls
from shared.ledger.ids import service_of
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.storage import Storage, job_folder
from tests.gateways import Gateway

MINUTE = 60_000
BODIES: dict[str, dict[str, Any]] = {
    "avatars": {"seed": "ada"},
    "mailings": {
        "from": {"email": "news@example.com"},
        "subject": "Hi",
        "text": "Hello",
        "recipients": [{"email": "ada@example.com"}],
    },
    "transcodes": {"source": "https://media.example.com/talk.mov"},
}
"""The least that each route takes."""


@dataclass
class Tenant:
    """A tenant of a test's own, so that its lists hold its own jobs only."""

    name: str
    client: httpx.Client

    def submit(self, route: str = "avatars", *, headers: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
        """A job, accepted; the keywords are its options."""
        answer = self.client.post(f"/v1/{route}", json={**BODIES[route], "options": options}, headers=headers)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        body: dict[str, Any] = self.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return body

    def types(self, job_id: str) -> list[str]:
        """The types of its events, without their `job.`."""
        listed = self.client.get(f"/v1/jobs/{job_id}/events").raise_for_status().json()
        return [event["type"].removeprefix("job.") for event in listed]


@dataclass
class ApiDesk:
    """The gateway, and a hand on each service's ledger."""

    gateway: Gateway
    redis_url: str
    _nonces: Iterator[int] = field(default_factory=itertools.count)

    @cached_property
    def ledgers(self) -> dict[str, Ledger]:
        """By service; broker and ledger are one server here."""
        return {name: Ledger(self.redis_url, name, rings_here=True) for name in contracts()}

    @cached_property
    def storage(self) -> Storage:
        """Where the gateway looks for artifacts."""
        return Storage.at(f"file://{self.gateway.home}/storage")

    @contextmanager
    def tenant(self, *scopes: str, name: str | None = None) -> Iterator[Tenant]:
        """A new tenant with a key for `scopes` (all of them where none is named)."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        with self.gateway.client(self.gateway.make_key(name, *(scopes or ("submit", "read", "operate")))) as client:
            yield Tenant(name, client)

    def run(self, job_id: str, call: calls.Call[Any], *, now: int | None = None) -> Any:
        """Run a call on the ledger of the job's service."""
        return self.ledgers[service_of(job_id)].run(call, now=now)

    def claim(self, job_id: str) -> int:
        """Claim it with a lease of a minute; its fencing token."""
        nonce = f"n{next(self._nonces)}-{uuid.uuid4().hex}"
        record = self.run(job_id, calls.claim(job_id, worker="w@test", pid=1, lease_ms=MINUTE, nonce=nonce))
        assert isinstance(record, JobRecord), record
        return record.token

    def progress(self, job_id: str, token: int, fraction: float, step: str = "encode") -> None:
        """Say how far it is, with an event."""
        told = {"fraction": fraction, "step": step, "detail": "", "eta_seconds": 3.0}
        self.run(job_id, calls.progress(job_id, token, fraction, told, event=True))

    def succeed(self, job_id: str, *, token: int | None = None, **artifacts: bytes) -> None:
        """End it well; `artifacts` are written first, `__` in a name standing for `/` and `_` for `.`."""
        token = self.claim(job_id) if token is None else token
        made = [self._artifact(job_id, name.replace("__", "/").replace("_", "."), content) for name, content in artifacts.items()]
        self.run(job_id, calls.succeed(job_id, token, '{"ok":true}', json.dumps(made)))

    def fail(self, job_id: str, detail: str = "the input is broken", *, retryable: bool = False) -> None:
        """One attempt that fails: for good, or (`retryable`) to be tried again in an hour."""
        error = {"type": "bad-input", "title": "The job cannot succeed", "detail": detail, "retryable": retryable}
        again = calls.fail(job_id, self.claim(job_id), error, retryable=retryable, delay_ms=60 * MINUTE, policy_attempts=3)
        self.run(job_id, again)

    def look(self, job_id: str, *, now: int | None = None) -> calls.Look:
        """One look of the reconciler, at `now` (Unix ms)."""
        look: calls.Look = self.run(job_id, calls.reconcile("w@test", budget=3, most=100, depths={}), now=now)
        return look

    def signed(self, job_id: str, name: str, *, expires: int) -> str:
        """A link that the gateway itself would have signed, with another end (Unix seconds)."""
        with redis.Redis.from_url(self.redis_url) as plain:
            secret = plain.get(SECRET_KEY)
        assert isinstance(secret, bytes)
        signature = sign_link(secret, job_id, "*", expires).rpartition("signature=")[2]
        return f"/v1/signed/{expires}.{signature}/{job_id}/{name}"

    def _artifact(self, job_id: str, name: str, content: bytes) -> dict[str, Any]:
        suffixes = {".m3u8": "application/vnd.apple.mpegurl", ".svg": "image/svg+xml", ".png": "image/png"}
        media_type = suffixes.get(Path(name).suffix, "application/octet-stream")
        blob = self.storage.put(f"{job_folder(job_id)}/1/{name}", content, media_type)
        return Artifact(name=name, key=blob.key, bytes=blob.bytes, sha256=str(blob.sha256), media_type=media_type).model_dump()

    def close(self) -> None:
        """Close the connections."""
        for ledger in self.ledgers.values():
            ledger.close()
