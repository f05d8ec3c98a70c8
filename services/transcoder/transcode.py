"""One job, from its source to its published outputs: the flow in one place, each step in a module of its own."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from services.transcoder.admit import admit
from services.transcoder.binary import Tools
from services.transcoder.encode import Bench, draw_poster, encode, pack
from services.transcoder.outputs import POSTER
from services.transcoder.plan import make
from services.transcoder.probe import Probe, probe
from services.transcoder.publish import outputs, publish
from services.transcoder.settings import TranscoderSettings
from services.transcoder.source import FETCH_SHARE, is_remote, local_source
from services.transcoder.verify import verify
from shared.contracts.transcoder import Transcode, TranscodeResult
from shared.job import Job
from shared.telemetry import step

MAX_THREADS = 16
"""x264 gains little beyond, and loses quality."""
ENCODED = 0.93
"""Progress when the encoder is done."""

log = structlog.get_logger()


def threads(settings: TranscoderSettings) -> int:
    """Encoder threads: as set, else one for each CPU that this process may use (FFmpeg itself would count the whole host's)."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or min(available, MAX_THREADS)


def transcode(command: Transcode, job: Job, tools: Tools, settings: TranscoderSettings) -> TranscodeResult:
    """Do all that the command asks. Leaves no process and no file behind, however it ends. Raises a JobError."""
    job.progress(0.0, "start")
    with TemporaryDirectory(dir=job.workdir, prefix="transcode-") as folder:
        bench = Bench(tools, settings, Path(folder), job.checkpoint)
        with local_source(command.source, job, bench.scratch, settings) as path:
            return _work(command, job, bench, path)


def _work(command: Transcode, job: Job, bench: Bench, path: Path) -> TranscodeResult:
    with step("probe"):
        found = _ask(bench, path)
        admit(found, bench.settings)
    plan = make(command, found, bench.settings, threads(bench.settings))
    log.info("transcode_planned", source=found.summary(), renditions=len(plan.renditions), frames=plan.frames)
    start = FETCH_SHARE if is_remote(command.source) else 0.0
    with step("encode") as span:
        ended = encode(plan, bench, job.progress, start=start, end=ENCODED)
        span.set_attributes({"frames": ended.last.frame, "cpu_seconds": ended.cpu, "renditions": len(plan.renditions)})
    with step("finish"):
        job.progress(ENCODED, "check")
        probes = verify(plan, ended.last, bench.scratch, lambda made: _ask(bench, made))
        poster = draw_poster(plan, bench)
        packaged = pack(plan, bench)
    with step("publish"):
        made = outputs(plan, bench.scratch, probes, packaged)
        publish(plan, bench.scratch, job, packaged=packaged, poster=poster)
    seconds = max(output.duration for output in made)
    log.info("transcode_finished", outputs=len(made), wall=round(ended.wall, 3), cpu=round(ended.cpu, 3))
    return TranscodeResult(
        source=found.summary(),
        outputs=made,
        poster=POSTER if poster else None,
        encode_seconds=round(ended.wall, 3),
        cpu_seconds=round(ended.cpu, 3),
        speed=round(seconds / ended.wall, 3) if ended.wall else 0.0,
        binary=f"ffmpeg {bench.tools.ffmpeg.label}",
        notes=list(plan.notes),
    )


def _ask(bench: Bench, path: Path) -> Probe:
    return probe(path, bench.tools, bench.settings, cwd=bench.scratch, checkpoint=bench.checkpoint)
