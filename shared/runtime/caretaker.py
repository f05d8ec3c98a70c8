"""Implements `shared.job.Caretaker`: what a service's upkeep does to jobs that are done."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.contracts.base import Artifact
from shared.job import PastJob, Register
from shared.ledger import calls, caretaking
from shared.ledger.ids import service_of
from shared.runtime.lasting import LedgerRegister
from shared.runtime.patience import patiently
from shared.runtime.runtime import Runtime
from shared.storage import job_folder, safe_key


class LedgerCaretaker:
    """For one upkeep job."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def past(self, job_id: str) -> PastJob | None:
        """A job of this service, whoever's it is."""
        if service_of(job_id) != self._runtime.service.name:
            return None
        record = patiently(self._runtime, calls.read(job_id))
        if record is None:
            return None
        return PastJob(record.id, record.tenant, record.done, record.artifacts, record.text("artifacts"))

    def register(self, name: str, *, tenant: str) -> Register:
        """That tenant's."""
        return LedgerRegister(lambda call: patiently(self._runtime, call), tenant, name)

    @contextmanager
    def open(self, artifact: Artifact) -> Iterator[Path]:
        """Its bytes as a file, read-only."""
        with self._runtime.storage.local(artifact.key) as path:
            yield path

    def replace(self, past: PastJob, sources: Mapping[str, Path]) -> bool:
        """Store the new bytes, then change the record; the old bytes go last."""
        folder = f"{job_folder(past.id)}/amended/{uuid.uuid4().hex}"
        made, old = list[Artifact](), list[str]()
        for artifact in past.artifacts:
            if artifact.name in sources:
                key = f"{folder}/{safe_key(*artifact.name.split('/'))}"
                stored = self._runtime.storage.put(key, sources[artifact.name], artifact.media_type)
                old.append(artifact.key)
                made.append(artifact.model_copy(update={"key": stored.key, "bytes": stored.bytes, "sha256": stored.sha256 or ""}))
            else:
                made.append(artifact)
        after = json.dumps([artifact.model_dump() for artifact in made])
        done = patiently(self._runtime, caretaking.replace(past.id, past.kept, after)).word == "ok"
        if done:
            for key in old:
                self._runtime.storage.delete(key)
        else:
            self._runtime.storage.delete_prefix(folder)
        return done

    def tally(self, counts: Mapping[str, int]) -> None:
        """Add to the counters of the service's metrics."""
        if counts:
            patiently(self._runtime, caretaking.tally(counts))
