"""Finished avatars by content: the same request of the same tenant on the same bytes is answered from disk; the same in flight is joined.

An entry is a folder of this host's, `cache/avatar/<digest>/` in the home, put there in one step. The digest covers the request, the
uploads' bytes, the tenant (or one could find out what another uploaded, by its speed), the code and what draws. The lock of an entry
is held while it is drawn: whoever asks for the same meanwhile waits, looking for a cancel, and finds it done.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import structlog

from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.job import Checkpoint
from shared.storage import sha256_of

log = structlog.get_logger()

_PACKAGES = ("dicebear-core", "dicebear-styles", "pyvips-binary", "ai-edge-litert", "onnxruntime", "pillow", "numpy", "vtracer")
_LOOK_EVERY = 0.05
_TIDY_EVERY = 60.0
_RESULT = "result.json"


@dataclass(slots=True)
class Shelf:
    """Keeps entries in `folder`: at most `most_bytes`, the longest unused go first, none is older than `seconds`."""

    folder: Path
    most_bytes: int
    seconds: float
    _tidied: float = field(default=float("-inf"))

    @contextmanager
    def place(self, digest: str, checkpoint: Checkpoint) -> Iterator[Path]:
        """The entry's folder, there or not yet, for this caller alone. Raises what `checkpoint` raises while another has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{digest}.lock").open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    checkpoint()
                    time.sleep(_LOOK_EVERY)
                else:
                    break
            os.utime(lock.name)  # in use: not to be tidied away
            yield self.folder / digest

    def take(self, entry: Path) -> AvatarResult | None:
        """The result, if it lies there with its files and is not too old."""
        result = entry / _RESULT
        if not result.is_file() or time.time() - result.stat().st_mtime > self.seconds:
            return None
        os.utime(entry)  # used now; the result's own time says how old it is
        return AvatarResult.model_validate_json(result.read_bytes())

    def put(self, entry: Path, result: AvatarResult, files: Mapping[str, bytes]) -> None:
        """Keep a whole result, without failure or stand-in: the next try may do better. A full disk costs the entry, not the job."""
        if result.failed or result.degraded:
            return
        draft = entry.with_name(f"{entry.name}.{uuid4().hex}.tmp")
        try:
            draft.mkdir()
            for name, data in files.items():
                (draft / name).write_bytes(data)
            (draft / _RESULT).write_text(result.model_dump_json(), "utf-8")
            shutil.rmtree(entry, ignore_errors=True)
            draft.rename(entry)
        except OSError as error:
            log.warning("avatar_not_kept", error=type(error).__name__)
            shutil.rmtree(draft, ignore_errors=True)
        if time.monotonic() - self._tidied > _TIDY_EVERY:
            self._tidied = time.monotonic()
            self.tidy()

    def tidy(self) -> None:
        """Remove what is too old or too much; another process may be removing the same."""
        now, left = time.time(), self.most_bytes
        entries = [(path, seen) for path in self.folder.iterdir() if (seen := _seen(path)) is not None]
        for path, (_, made, size) in sorted(entries, key=lambda entry: entry[1][0], reverse=True):
            left -= size
            if left < 0 or now - made > self.seconds:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _seen(path: Path) -> tuple[float, float, int] | None:
    """When an entry was last used and made, and its bytes; None where it has gone meanwhile."""
    try:
        used = path.stat().st_mtime
        if not path.is_dir():
            return used, used, 0
        parts = [part.stat() for part in path.iterdir()]
    except FileNotFoundError:
        return None
    return used, max((part.st_mtime for part in parts), default=used), sum(part.st_size for part in parts)


def digest_of(command: GenerateAvatar, uploads: Mapping[str, Path], tenant: str, model: str = "") -> str:
    """What a request comes down to: its own `options` (priority, labels …) change no picture, an upload's id says nothing of its bytes.

    `model` is the diffusion model that would paint it here.
    """
    asked = command.model_dump(mode="json", exclude={"options", "photo", "style_picture"})
    asked["uploads"] = [sha256_of(uploads[upload]) if upload else None for upload in (command.photo, command.style_picture)]
    whole = json.dumps([tenant, asked, model, _maker()], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


@cache
def _maker() -> list[str]:
    """The code and the packages that draw: after a change everything is drawn anew."""
    code = [path for path in sorted(Path(__file__).parent.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    files = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in code]
    return [*files, *(f"{package} {version(package)}" for package in _PACKAGES)]
