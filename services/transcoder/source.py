"""Brings a job's source to a local file, which is all that FFmpeg ever sees."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from services.transcoder import bucket, disk
from services.transcoder.outputs import SOURCE
from services.transcoder.settings import TranscoderSettings
from shared.addresses import is_public
from shared.fetch import FetchRules, fetch
from shared.job import Job

MEGABYTE = 1_000_000
FETCH_SHARE = 0.1
"""Share of the job's progress that a download is taken for."""
LOOK_EVERY = 64 * MEGABYTE
"""Bytes between two looks at the disk: a server need not say how much will come."""


def is_remote(source: str) -> bool:
    """True for a URL, false for an upload's id."""
    return "://" in source


@contextmanager
def local_source(source: str, job: Job, scratch: Path, settings: TranscoderSettings) -> Iterator[Path]:
    """The source as `scratch/source`: a link to the upload, or a download.

    The name has no suffix on purpose: FFmpeg would let it weigh in when it guesses the format.
    """
    path = scratch / SOURCE
    if not is_remote(source):
        with job.open(job.input(source)) as upload:
            path.symlink_to(upload.absolute())
            yield path
        return
    if source.startswith("s3://"):
        read_bucket(source, path, job, settings)
    else:
        download(source, path, job, settings)
    yield path


def download(url: str, target: Path, job: Job, settings: TranscoderSettings) -> None:
    """Fetch an https:// URL with progress. Raises what `fetch` does, and disk.py's errors."""
    allowed = (lambda _: True) if settings.fetch_private else is_public
    rules = FetchRules(
        max_bytes=settings.max_source_bytes,
        allowed=allowed,
        pointer="/source",
        slowest=settings.slowest_bytes,
        room=_room(target, settings),
    )
    fetch(url, target, rules, checkpoint=job.checkpoint, progress=_teller(target, job, settings))


def read_bucket(url: str, target: Path, job: Job, settings: TranscoderSettings) -> None:
    """Copy an s3:// object that the operator's list allows, with progress. Raises what `bucket.copy` does, and disk.py's errors."""
    found = bucket.parse(url)
    bucket.refuse_unlisted(found, settings, job.tenant)
    tell = _teller(target, job, settings)
    bucket.copy(found, target, settings, room=_room(target, settings), checkpoint=job.checkpoint, tell=tell)


def _room(target: Path, settings: TranscoderSettings) -> Callable[[int], None]:
    return partial(disk.preflight, target.parent, spare=settings.spare_bytes, what="the source")


def _teller(target: Path, job: Job, settings: TranscoderSettings) -> Callable[[int, int | None], None]:
    """Tells the job how far a download is, and looks at the disk meanwhile."""
    looked = 0

    def tell(done: int, total: int | None) -> None:
        nonlocal looked
        if done - looked >= LOOK_EVERY:
            looked = done
            disk.refuse_full(target.parent, settings.spare_bytes)
        of = f" of {total / MEGABYTE:.1f}" if total else ""
        job.progress(FETCH_SHARE * done / total if total else 0.0, "fetch", f"{done / MEGABYTE:.1f}{of} MB")

    return tell
