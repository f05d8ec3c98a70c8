"""A job without a platform, for the transcoder's tests: uploads are files, artifacts are kept in a folder."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from shared.contracts.base import Artifact, Blob
from shared.job import ChildResult, Once
from shared.local_storage import LocalStorage
from shared.storage import job_folder
from tests.unit.job_effects import NoEffects


def _carry_on() -> None:
    """Nobody cancels."""


@dataclass
class FakeJob(NoEffects):
    """Implements `shared.job.Job`. `uploads` maps upload ids to files; `on_checkpoint` may raise."""

    root: Path
    uploads: dict[str, Path] = field(default_factory=dict)
    on_checkpoint: Callable[[], None] = _carry_on
    id: str = "transcoder_test"
    tenant: str = "test"
    attempt: int = 1
    epoch: int = 1
    labels: dict[str, str] = field(default_factory=dict)
    canceled: bool = False
    told: list[tuple[float, str, str, float | None]] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    above: dict[str, bytes] = field(default_factory=dict)
    shown: list[tuple[int, list[str]]] = field(default_factory=list)
    beginnings: list[dict[str, bytes]] = field(default_factory=list)
    ended: Sequence[ChildResult] | None = None
    """How the children ended, once they have."""
    workdir: Path = field(init=False)
    published: Path = field(init=False)
    storage: LocalStorage = field(init=False)

    def __post_init__(self) -> None:
        """Make its folders."""
        self.workdir, self.published = self.root / "work", self.root / "published"
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.published.mkdir(exist_ok=True)
        self.storage = LocalStorage(self.root / "storage")

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Keep every report."""
        self.told.append((fraction, step, detail, eta_seconds))

    def checkpoint(self) -> None:
        """As the test says."""
        self.on_checkpoint()

    def input(self, upload: str) -> Blob:
        """The blob of an upload."""
        return Blob(key=upload, bytes=self.uploads[upload].stat().st_size)

    @contextmanager
    def open(self, blob: Blob) -> Iterator[Path]:
        """The upload's own file, or what was stored."""
        if blob.key in self.uploads:
            yield self.uploads[blob.key]
            return
        with self.storage.local(blob.key) as path:
            yield path

    def publish(self, name: str, source: Path | bytes, media_type: str, *, at_once: bool = False) -> Artifact:
        """Copy it away."""
        del at_once
        target = self.published / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
        else:
            shutil.copyfile(source, target)
        blob = self.storage.put(f"{job_folder(self.id)}/artifacts/{name}", source, media_type)
        made = Artifact(name=name, key=blob.key, bytes=blob.bytes, sha256=blob.sha256 or "", media_type=media_type)
        self.artifacts[name] = made
        return made

    def publish_above(self, files: Mapping[str, Path | bytes], media_types: Mapping[str, str], rank: int) -> bool:
        """Keep what would be shown, by name, in which order, and what could be seen then."""
        del media_types
        for name, source in files.items():
            self.above[name] = source if isinstance(source, bytes) else source.read_bytes()
        self.shown.append((rank, list(files)))
        self.beginnings.append(dict(self.above))
        return bool(files)

    def stash(self, name: str, source: Path | bytes, media_type: str = "application/octet-stream") -> Blob:
        """Store bytes of the job."""
        return self.storage.put(f"{job_folder(self.id)}/stash/{name}", source, media_type)

    def once(self, key: str) -> AbstractContextManager[Once]:
        """Every effect is a first one."""
        del key
        return nullcontext(Once("open"))

    def children(self) -> Sequence[ChildResult] | None:
        """As the test says."""
        return self.ended
