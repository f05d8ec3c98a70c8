"""A job for the avatar service's tests: inputs are files, artifacts land in a dict, a cancel can be set for a checkpoint."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from shared.contracts.base import Artifact, Blob
from shared.errors import JobCanceled
from shared.job import ChildResult, Once
from tests.unit.job_effects import NoEffects

UPLOAD = "upl_0123456789abcdef"


@dataclass
class AvatarJob(NoEffects):
    """Keeps what a handler does to its job."""

    workdir: Path
    photo: Path | None = None
    cancel_at: int | None = None
    """The checkpoint (from 1) at which the user's cancel is seen."""
    published: dict[str, bytes] = field(default_factory=dict)
    media_types: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    """What could be fetched before the job's end, in order."""
    steps: list[tuple[float, str, str]] = field(default_factory=list)
    checkpoints: int = 0
    id: str = "avatar_01JD0000000000000000000000"
    tenant: str = "test"
    attempt: int = 1
    epoch: int = 1
    waited: float = 0.0
    canceled: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Keep it."""
        del eta_seconds
        self.steps.append((fraction, step, detail))

    def checkpoint(self) -> None:
        """Cancel at the chosen one."""
        self.checkpoints += 1
        if self.checkpoints == self.cancel_at:
            raise JobCanceled

    def input(self, upload: str) -> Blob:
        """The photo, whatever its id."""
        assert self.photo is not None
        return Blob(key=upload, bytes=self.photo.stat().st_size)

    @contextmanager
    def open(self, blob: Blob) -> Iterator[Path]:
        """The photo's own path."""
        del blob
        assert self.photo is not None
        yield self.photo

    def publish(self, name: str, source: Path | bytes, media_type: str, *, at_once: bool = False) -> Artifact:
        """Keep the bytes under their name."""
        if at_once:
            self.shown.append(name)
        data = source if isinstance(source, bytes) else source.read_bytes()
        self.published[name] = data
        self.media_types[name] = media_type
        return Artifact(name=name, key=name, bytes=len(data), sha256="", media_type=media_type)

    def stash(self, name: str, source: Path | bytes, media_type: str = "application/octet-stream") -> Blob:
        """Avatars stash nothing."""
        raise NotImplementedError(name, source, media_type)

    def once(self, key: str) -> AbstractContextManager[Once]:
        """Every effect is a first one."""
        del key
        return nullcontext(Once("open"))

    def children(self) -> Sequence[ChildResult] | None:
        """Avatars have no children."""
        return None
