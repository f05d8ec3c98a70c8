"""Makes the watermark's PNG of what was uploaded, for all segments to use."""

from hashlib import sha256
from pathlib import Path

from services.transcoder import mark
from services.transcoder.encode import Bench
from services.transcoder.failures import relevant
from services.transcoder.mark import Mark
from services.transcoder.run import run
from shared.contracts.transcoder_options import Watermark
from shared.errors import PermanentError, TransientError
from shared.job import Job

CPU_SECONDS = 30
MEMORY_MB = 2_048
FILE_BYTES = 2**26
POINTER = "/watermark/upload"


def stamp(asked: Watermark, bench: Bench, job: Job) -> Mark:
    """The watermark, and its file in the scratch folder. Raises a JobError."""
    blob = job.input(asked.upload)
    if blob.bytes > mark.LARGEST_BYTES:
        raise PermanentError(f"a watermark may have {mark.LARGEST_BYTES} bytes", type="too-large", pointer=POINTER)
    link = bench.scratch / mark.UPLOADED
    with job.open(blob) as path:
        link.symlink_to(path.absolute())
        try:
            content = _decoded(path, bench)
        finally:
            link.unlink()
    width, height = mark.measures(content)
    name = f"mark-{sha256(content).hexdigest()[:16]}.png"
    (bench.scratch / mark.DECODED).rename(bench.scratch / name)
    kept = job.stash(name, content, "image/png")
    return Mark(name, kept, width, height, asked.position, asked.margin, asked.width, asked.opacity)


def _decoded(path: Path, bench: Bench) -> bytes:
    with path.open("rb") as file:
        name = mark.demuxer(file.read(16))
    limits = bench.limits(CPU_SECONDS, MEMORY_MB, FILE_BYTES)
    ended = run([str(bench.tools.ffmpeg.path), *mark.decode(name)], cwd=bench.scratch, limits=limits, watch=bench.watch())
    made = bench.scratch / mark.DECODED
    if ended.status < 0 and ended.cpu < CPU_SECONDS:
        raise TransientError("FFmpeg was killed while it read the watermark", type="encoder-killed")
    if ended.status != 0 or not made.is_file() or not made.stat().st_size:
        said = relevant(ended.words)
        why = f" (it said: {' | '.join(said)})" if said else ""
        raise PermanentError(f"the watermark cannot be used: it is damaged or too large{why}", type="invalid-media", pointer=POINTER)
    return made.read_bytes()
