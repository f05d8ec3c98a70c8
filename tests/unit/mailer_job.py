"""A job for the mailer's tests: folders instead of storage, a dict instead of uploads, and children given by hand."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.mailer.batch import send_batch
from services.mailer.planning import plan_mailing
from services.mailer.settings import MailerSettings
from shared.contracts.base import Artifact, Blob
from shared.contracts.mailer import MailingResult, SendMailing
from shared.contracts.options import Priority
from shared.contracts.states import State
from shared.errors import JobError
from shared.job import Caretaker, ChildResult, Effects, FanOut, Once, Throttles
from shared.past import Past
from tests.unit.job_effects import FakeEffects, FakeRegister, FakeThrottles

MAILING = "mailer_01JD00000000000000000000AA"


@cache
def _journal(root: Path, job_id: str) -> FakeEffects:
    del root, job_id
    return FakeEffects()


@cache
def register_of(root: Path, tenant: str, name: str) -> FakeRegister:
    """A register that all jobs on `root` share, as they share the ledger's."""
    del root, tenant, name
    return FakeRegister()


@cache
def throttles_of(root: Path) -> FakeThrottles:
    """What all jobs on `root` share."""
    del root
    return FakeThrottles()


@dataclass
class FakeJob:
    """Implements `shared.job.Job` on a folder."""

    root: Path
    id: str = MAILING
    tenant: str = "test"
    attempt: int = 1
    epoch: int = 1
    priority: Priority = "normal"
    need: str | None = None
    waited: float = 0.0
    canceled: bool = False
    journal: Effects | None = None
    """None: one in memory that outlives the attempt, as the ledger's does."""
    shared: Throttles | None = None
    """None: in memory, shared by all jobs on `root`."""
    labels: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Path] = field(default_factory=dict)
    ended: Sequence[ChildResult] | None = None
    earlier: Mapping[str, Past] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)
    is_outranked: Callable[[], bool] = lambda: False
    is_awaited: Callable[[], bool] = lambda: False
    on_checkpoint: Callable[[], None] = lambda: None
    takes_care: Caretaker | None = None

    def __post_init__(self) -> None:
        """Begin with an empty folder, as every attempt does."""
        self.workdir = self.root / "work" / self.id
        shutil.rmtree(self.workdir, ignore_errors=True)
        self.workdir.mkdir(parents=True)

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Remember the fraction."""
        del step, detail, eta_seconds
        self.fractions.append(fraction)

    def publish_above(self, files: Mapping[str, Path | bytes], media_types: Mapping[str, str], rank: int) -> bool:
        """There is no parent."""
        del files, media_types, rank
        return False

    def checkpoint(self) -> None:
        """What the test wants to happen."""
        self.on_checkpoint()

    def input(self, upload: str) -> Blob:
        """The upload as a blob whose key is its path."""
        path = self.uploads[upload]
        return Blob(key=str(path), bytes=path.stat().st_size, name=path.name)

    @contextmanager
    def open(self, blob: Blob) -> Iterator[Path]:
        """The file itself."""
        yield Path(blob.key)

    def _store(self, name: str, source: Path | bytes) -> Path:
        path = self.root / "stored" / self.id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        return path

    def publish(self, name: str, source: Path | bytes, media_type: str, *, at_once: bool = False) -> Artifact:
        """Keep a copy."""
        del at_once
        path = self._store(name, source)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        artifact = Artifact(name=name, key=str(path), bytes=path.stat().st_size, sha256=digest, media_type=media_type)
        self.artifacts.append(artifact)
        return artifact

    def own_artifact(self, name: str) -> Blob | None:
        """As `publish` kept it."""
        return next((Blob(key=each.key, bytes=each.bytes) for each in self.artifacts if each.name == name), None)

    def stash(self, name: str, source: Path | bytes, media_type: str = "application/octet-stream") -> Blob:
        """Keep a copy."""
        path = self._store(f"stash/{name}", source)
        return Blob(key=str(path), bytes=path.stat().st_size, media_type=media_type)

    def once(self, key: str) -> AbstractContextManager[Once]:
        """Every effect is a first one."""
        del key
        return nullcontext(Once("open"))

    def outranked(self) -> bool:
        """What the test says."""
        return self.is_outranked()

    def awaited(self) -> bool:
        """What the test says."""
        return self.is_awaited()

    def throttles(self) -> Throttles:
        """The ledger's, or those in memory."""
        return self.shared or throttles_of(self.root)

    def effects(self) -> Effects:
        """The job's journal."""
        return self.journal or _journal(self.root, self.id)

    def hasten(self, seconds: float = 10**6) -> None:
        """Let time pass for those who were put off: all that the journal remembers of them is so much longer ago."""
        kept = _journal(self.root, self.id).kept
        for key, effect in kept.items():
            if effect.fate == "open":
                since, due, *rest = effect.value
                kept[key] = Once("open", [since - min(seconds, 3_600.0) * (seconds < 10**6), due - seconds, *rest])

    def effects_of(self, child: ChildResult) -> Mapping[str, Once]:
        """What the child noted."""
        return _journal(self.root, child.id).known()

    def past(self, job_id: str) -> Past | None:
        """What the test put there."""
        return self.earlier.get(job_id)

    def secret(self, name: str) -> bytes:
        """The same one for everybody."""
        return name.encode().ljust(64, b"-")

    def register(self, name: str) -> FakeRegister:
        """One in memory."""
        return register_of(self.root, self.tenant, name)

    def caretaker(self) -> Caretaker:
        """What the test gives."""
        if self.takes_care is None:
            raise PermissionError
        return self.takes_care

    def children(self) -> Sequence[ChildResult] | None:
        """What the test said."""
        return self.ended

    def artifact(self, name: str) -> str:
        """The text of a published artifact."""
        return next(Path(each.key) for each in self.artifacts if each.name == name).read_text(encoding="utf-8")


def mailing(**fields: Any) -> SendMailing:
    """A small valid mailing, with `fields` over it."""
    request = {
        "from": {"email": "news@example.com", "name": "News"},
        "subject": "Hi {{ name }}",
        "html": "<p>Hello {{ name }}</p>",
        "recipients": [{"email": "ada@example.com", "vars": {"name": "Ada"}}],
    }
    return SendMailing.model_validate({**request, **fields})


def run_children(fan_out: FanOut, root: Path, settings: MailerSettings, mailing: str = MAILING) -> list[ChildResult]:
    """Run each batch once, as the platform would: a failure becomes a failed child."""
    ended = []
    for index, child in enumerate(fan_out.children):
        job = FakeJob(root, id=f"{mailing}.{index}")
        try:
            result = send_batch(child.command, job, settings)  # type: ignore[arg-type]  # a mailing's children are batches
            ended.append(ChildResult(job.id, index, State.SUCCEEDED, result.model_dump(), None, job.artifacts))
        except JobError as error:
            ended.append(ChildResult(job.id, index, State.FAILED, None, {"detail": error.detail, "type": error.type}, []))
    return ended


def plan(command: SendMailing, job: FakeJob, settings: MailerSettings) -> FanOut:
    """The plan of a mailing that has at least one batch."""
    planned = plan_mailing(command, job, settings)
    assert not isinstance(planned, MailingResult)
    return planned
