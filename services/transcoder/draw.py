"""Makes the pictures of a plan, and publishes each as soon as it is there."""

from functools import partial
from pathlib import Path
from typing import Protocol

from services.transcoder.asides import Asides
from services.transcoder.encode import Bench, Teller
from services.transcoder.failures import explain
from services.transcoder.media_types import media_type
from services.transcoder.run import run
from shared.errors import TransientError
from shared.job import Job

MAGIC = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG", ".webp": b"RIFF", ".gif": b"GIF89a"}


class Publish(Protocol):
    """Where a finished picture goes."""

    def __call__(self, name: str, source: Path | bytes, media_type: str) -> object:
        """Store it, and show it."""


def at_once(job: Job) -> Publish:
    """As artifacts of the job itself."""
    return partial(job.publish, at_once=True)


def above(job: Job) -> Publish:
    """As a child's artifacts, which its parent takes over at the end, and until then as the waiting parent's own."""

    def publish(name: str, source: Path | bytes, media_type: str) -> object:
        job.publish_above({name: source}, {name: media_type}, rank=0)
        return job.publish(name, source, media_type)

    return publish


def draw(asides: Asides, bench: Bench, publish: Publish, teller: Teller) -> None:
    """Make them all. Raises a JobError."""
    for number, one in enumerate(asides.passes):
        teller.tell(number / len(asides.passes), "pictures", next(iter(one.makes)))
        limits = bench.limits(one.cpu_seconds)
        ended = run([str(bench.tools.ffmpeg.path), *one.arguments], cwd=bench.scratch, limits=limits, watch=bench.watch())
        if ended.status != 0:
            raise explain("FFmpeg", ended, limits)
        for name, file in one.makes.items():
            path = bench.scratch / file
            _look_at(path, name)
            publish(name, path, media_type(name))
            path.unlink()
    for name, text in asides.texts:
        publish(name, text.encode(), media_type(name))


def _look_at(path: Path, name: str) -> None:
    """FFmpeg exits with 0 where it found no frame at the time that it was given."""
    if not path.is_file() or not path.read_bytes().startswith(MAGIC[path.suffix]):
        raise TransientError(f"an output is not what was planned: {name} is no picture", type="output-inconsistent")
