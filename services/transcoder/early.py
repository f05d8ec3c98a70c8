"""Shows the beginning of a film while the rest of it is encoded. The child that finishes the part which was missing does it.

Names are those of the finished package, so that a player which began early goes on by itself: playlists and manifest grow, and end when
the job does. Whatever goes wrong here is logged and costs nobody the film.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from services.transcoder import growing, manifest
from services.transcoder.assemble import assemble
from services.transcoder.document import Document
from services.transcoder.encode import Teller
from services.transcoder.media_types import media_type
from services.transcoder.outputs import MASTER
from services.transcoder.package import MANIFEST, Package
from services.transcoder.packing import Packed, pack
from services.transcoder.playlists import PLAYLIST
from services.transcoder.segment import Workshop
from services.transcoder.write import fetch
from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, PermanentError, StorageError, TransientError
from shared.job import Job
from shared.storage import safe_key

SHOWN = "early"
"""The folder of a job's notes on what was shown."""

log = structlog.get_logger()


def show_early(told: Document, plan: Blob, shop: Workshop, job: Job) -> None:
    """Show as much as is worth it, where that is more than was shown before.

    `plan` is where the document lies: each run of the job has one of its own.
    """
    film, package = told.plan.film, told.plan.package
    if not told.plan.early or film is None or package is None:
        return
    count, notes = growing.milestone(_finished(shop), len(film.parts)), _Notes(shop, sha256(plan.key.encode()).hexdigest()[:16])
    if not count or notes.read(count) is not None or any(shop.shelf.find(shop.voice_digest(voice)) is None for voice in told.plan.voices):
        return
    try:
        _show(told, shop, job, count, package, notes)
    except (TransientError, PermanentError, StorageError, OSError) as error:
        log.warning("beginning_not_shown", detail=str(error))


@dataclass(frozen=True, slots=True)
class _Notes:
    """Which names were shown with how many parts, in this `run` of the job: files that are there already are not stored again."""

    shop: Workshop
    run: str

    def read(self, count: int) -> list[str] | None:
        """None where nothing was shown."""
        try:
            return list(json.loads(self.shop.shelf.storage.read(self._key(count))))
        except BlobNotFoundError:
            return None

    def write(self, count: int, names: list[str]) -> None:
        """After they were shown."""
        self.shop.shelf.storage.put(self._key(count), json.dumps(names).encode(), "application/json")

    def _key(self, count: int) -> str:
        return safe_key(self.shop.shelf.family, SHOWN, self.run, str(count))


def _finished(shop: Workshop) -> int:
    """How many parts from the first on are finished in every rendition, without a gap."""
    parts = shop.plan.film.parts if shop.plan.film else ()
    for part in parts:
        if any(shop.find(part.number, rendition) is None for rendition in shop.plan.renditions):
            return part.number
    return len(parts)


def _show(told: Document, shop: Workshop, job: Job, count: int, package: Package, notes: _Notes) -> None:
    plan, bench = told.plan, shop.bench
    steps = tuple(replace(rendition, sound=False) for rendition in package.renditions)
    with TemporaryDirectory(dir=bench.scratch, prefix="early-") as folder, ExitStack() as while_needed:
        own = replace(bench, scratch=Path(folder))
        begun = replace(shop, bench=own, plan=replace(plan, renditions=steps, publish={}, tags={}))
        assemble(begun, Teller(job.progress, 1.0, 1.0), while_needed, parts=count)
        fetch(plan.texts, told.captions, own, job)
        packed = pack(replace(package, renditions=steps), own)
        files = _files(packed, own.scratch / package.folder)
        known = notes.read(count // 2) or []
        new = {name: content for name, content in files.items() if isinstance(content, bytes) or name not in known}
        if job.publish_above(new, {name: media_type(name) for name in new}, count):
            notes.write(count, sorted(files))
            log.info("beginning_shown", parts=count, of=len(plan.film.parts) if plan.film else 0, files=len(new))


def _files(packed: Packed, folder: Path) -> dict[str, Path | bytes]:
    """Artifact name → content: files as they are, then lists, which grow, the first one to be read last. Empty: no whole segment yet."""
    package = packed.package
    beside = [*package.sounding, *package.written]
    pictures, others = growing.whole_segments(packed.playlists[package.pictures[0]], [packed.playlists[name] for name in beside])
    if not pictures:
        return {}
    counts = {**dict.fromkeys(package.pictures, pictures), **dict(zip(beside, others, strict=True))}
    texts = {name: growing.open_end((folder / name / PLAYLIST).read_text(encoding="utf-8"), count) for name, count in counts.items()}
    files: dict[str, Path | bytes] = {
        f"{name}/{file}": folder / name / file for name, text in texts.items() for file in growing.listed(text)
    }
    if package.hls:
        files |= {f"{name}/{PLAYLIST}": text.encode() for name, text in texts.items()}
    if package.dash:
        finished = (folder / MANIFEST).read_text(encoding="utf-8")
        files[MANIFEST] = manifest.unfinished(finished, counts, datetime.now(UTC)).encode()
    if package.hls:
        files[MASTER] = growing.without_skims((folder / MASTER).read_text(encoding="utf-8")).encode()
    return {f"{package.folder}/{name}": content for name, content in files.items()}
