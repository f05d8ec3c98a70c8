"""Makes the pictures of a plan, and publishes each as soon as it is there."""

from pathlib import Path

from services.transcoder.asides import Asides
from services.transcoder.encode import Bench, Teller
from services.transcoder.failures import explain
from services.transcoder.media_types import media_type
from services.transcoder.run import run
from shared.errors import TransientError
from shared.job import Job

MAGIC = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG", ".webp": b"RIFF", ".gif": b"GIF89a"}


def draw(asides: Asides, bench: Bench, job: Job, teller: Teller) -> list[str]:
    """The names of all that was made. Raises a JobError."""
    made = []
    for number, one in enumerate(asides.passes):
        teller.tell(number / len(asides.passes), "pictures", next(iter(one.makes)))
        limits = bench.limits(one.cpu_seconds)
        ended = run([str(bench.tools.ffmpeg.path), *one.arguments], cwd=bench.scratch, limits=limits, watch=bench.watch())
        if ended.status != 0:
            raise explain("FFmpeg", ended, limits)
        for name, file in one.makes.items():
            path = bench.scratch / file
            _look_at(path, name)
            job.publish(name, path, media_type(name), at_once=True)
            path.unlink()
            made.append(name)
    for name, text in asides.texts:
        job.publish(name, text.encode(), media_type(name), at_once=True)
        made.append(name)
    return made


def _look_at(path: Path, name: str) -> None:
    """FFmpeg exits with 0 where it found no frame at the time that it was given."""
    if not path.is_file() or not path.read_bytes().startswith(MAGIC[path.suffix]):
        raise TransientError(f"an output is not what was planned: {name} is no picture", type="output-inconsistent")
