"""Brings a job's source to a local file, which is all that FFmpeg ever sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.transcoder.outputs import SOURCE
from services.transcoder.settings import TranscoderSettings
from shared.addresses import is_public
from shared.errors import PermanentError
from shared.fetch import FetchRules, fetch
from shared.job import Job

MEGABYTE = 1_000_000
FETCH_SHARE = 0.1
"""Share of the job's progress that a download is taken for."""


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
        raise PermanentError(
            "s3:// sources are not supported yet: upload the file, or give an https:// URL", type="unsupported-source", pointer="/source"
        )
    download(source, path, job, settings)
    yield path


def download(url: str, target: Path, job: Job, settings: TranscoderSettings) -> None:
    """Fetch an https:// URL with progress. Raises what `fetch` does."""

    def tell(done: int, total: int | None) -> None:
        of = f" of {total / MEGABYTE:.1f}" if total else ""
        job.progress(FETCH_SHARE * done / total if total else 0.0, "fetch", f"{done / MEGABYTE:.1f}{of} MB")

    allowed = (lambda _: True) if settings.fetch_private else is_public
    rules = FetchRules(max_bytes=settings.max_source_bytes, allowed=allowed, pointer="/source")
    fetch(url, target, rules, checkpoint=job.checkpoint, progress=tell)
