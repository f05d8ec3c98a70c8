"""One job, from its source to its published outputs: the flow in one place, each step in a module of its own.

A short film is encoded here, in one part. A long one is planned here, its parts are jobs of their own, and when the last of them has
ended this runs again, to join them.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from services.transcoder import disk, document
from services.transcoder.admit import admit, admit_length
from services.transcoder.asides import Asides
from services.transcoder.audition import audition
from services.transcoder.binary import Tools, has_filter
from services.transcoder.conclude import Effort, ask, conclude
from services.transcoder.detect import found as found_hardware
from services.transcoder.draw import above, at_once, draw
from services.transcoder.early import show_early
from services.transcoder.encode import Bench, Teller, draw_poster
from services.transcoder.outputs import POSTER, SOURCE
from services.transcoder.parts import shares
from services.transcoder.plan import Plan, make
from services.transcoder.process import monotonic
from services.transcoder.score import scores
from services.transcoder.seal import Seal
from services.transcoder.segment import Made, Workshop
from services.transcoder.settings import TranscoderSettings
from services.transcoder.shelf import Shelf
from services.transcoder.source import FETCH_SHARE, is_remote, local_source
from services.transcoder.stamp import stamp
from services.transcoder.timeline import scan
from services.transcoder.voices import PRESETS
from services.transcoder.write import write
from shared.contracts.base import Blob
from shared.contracts.transcoder import Budget, EncodeSegment, SegmentResult, Transcode, TranscodeResult
from shared.errors import PermanentError
from shared.job import Child, ChildResult, FanOut, Job
from shared.storage import Storage, sha256_of
from shared.telemetry import step

MAX_THREADS = 16
"""x264 gains little beyond, and loses quality."""
ENCODED = 0.93
"""Progress when the encoder is done."""
JOINING = 0.05
"""Share of a film's progress that joining, checking and publishing its parts is taken for."""
SOUNDING = 0.98
"""Progress within the encode when the sound begins."""
MEASURING = 0.2
"""Of a part whose VMAF is measured, the share of its progress that this is taken for."""
BESIDES_WEIGHT = 0.01
"""What thumbnails, storyboard and preview cost, likewise."""
SOUND_WEIGHT = 0.02
"""What the sound costs, as a share of the pictures."""

log = structlog.get_logger()


def threads(settings: TranscoderSettings) -> int:
    """Encoder threads: as set, else one for each CPU that this process may use (FFmpeg itself would count the whole host's)."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or min(available, MAX_THREADS)


def transcode(command: Transcode, job: Job, tools: Tools, settings: TranscoderSettings) -> TranscodeResult | FanOut:
    """Do all that the command asks, or leave it to children. Leaves no process and no file behind, however it ends. Raises a JobError."""
    with workbench(job, tools, settings) as bench:
        children = job.children()
        if children is not None:
            return _joined(command, job, bench, children)
        job.progress(0.0, "start")
        with local_source(command.source, job, bench.scratch, settings) as path:
            return _begin(command, job, bench, path)


@contextmanager
def workbench(job: Job, tools: Tools, settings: TranscoderSettings) -> Iterator[Bench]:
    """A scratch folder that goes when the attempt ends."""
    with TemporaryDirectory(dir=job.workdir, prefix="transcode-") as folder:
        yield Bench(tools, settings, Path(folder), job.checkpoint)


def _begin(command: Transcode, job: Job, bench: Bench, path: Path) -> TranscodeResult | FanOut:
    plan = _plan(command, bench, path, job)
    remote = is_remote(command.source)
    source = _kept(command, job, path, plan)
    shelf = Shelf.of(job, source, bench.tools, Storage.at(bench.settings.storage_url))
    if command.quality is not None:
        plan = audition(Workshop(plan, bench, shelf, nullcontext, command.budget), command.quality, Teller(job.progress, 0.0, 0.0))
    poster = draw_poster(plan, bench)
    texts, notes = write(plan.texts, plan.clip, plan.duration, bench, job, Teller(job.progress, 0.0, 0.0))
    plan = replace(plan, notes=(*plan.notes, *notes))
    told = document.write(plan, source, bench.settings, stashed=remote and plan.fans_out, captions=texts, poster=poster)
    if plan.duration is not None:  # else the estimate is that of the longest film allowed
        disk.preflight(bench.scratch, told.estimate.disk_bytes, bench.settings.spare_bytes, "the outputs")
    stored = document.publish(told, job)
    if poster:
        job.publish(POSTER, bench.scratch / poster, "image/jpeg")
    if not plan.fans_out:
        draw(plan.asides, bench, at_once(job), Teller(job.progress, 0.0, 0.0))
    start = FETCH_SHARE if remote else 0.0
    job.progress(start, "plan", told.estimate.describe())
    log.info(
        "transcode_planned", source=plan.found.summary(), renditions=len(plan.renditions), parts=told.estimate.parts, frames=plan.frames
    )
    if plan.fans_out:
        return _fan_out(plan, source, stored, command.budget)
    shop = Workshop(plan, bench, shelf, nullcontext, command.budget)
    teller, began = Teller(job.progress, start, ENCODED), monotonic()
    with step("encode") as span:
        made = [_picture(shop, 0, teller.within(0.0, SOUNDING if plan.sounding else 1.0))] if plan.film else []
        made += [shop.sound(teller.within(SOUNDING if made else 0.0, 1.0))] if plan.sounding else []
        effort = Effort(tuple(made), monotonic() - began)
        span.set_attributes({"frames": sum(part.frames for part in made), "cpu_seconds": effort.cpu})
    return conclude(told, shop, job, effort, Teller(job.progress, ENCODED, 1.0), Seal.of(command.encryption))


def _plan(command: Transcode, bench: Bench, path: Path, job: Job) -> Plan:
    if (command.vmaf or command.quality) and not has_filter(bench.tools.ffmpeg, "libvmaf"):
        raise PermanentError(
            "the FFmpeg of this service has no libvmaf, so no VMAF can be measured; unset TRANSCODER_FFMPEG for one that has",
            type="not-supported",
            pointer="/vmaf" if command.vmaf else "/quality",
        )
    with step("probe"):
        found = ask(bench, path)
        admit(found, bench.settings)
        moving = found.video is not None and (bool(command.outputs) or not {*command.wanted()} <= {*PRESETS})
        timeline = (
            scan(path, found.video, bench.tools, bench.settings, cwd=bench.scratch, checkpoint=bench.checkpoint)
            if found.video is not None and moving
            else None
        )
        if timeline is not None:
            admit_length(float(timeline.seconds(len(timeline.times))), bench.settings)
        mark = stamp(command.watermark, bench, job) if command.watermark and moving else None
    return make(command, found, timeline, bench.settings, threads(bench.settings), mark=mark, hardware=found_hardware())


def _kept(command: Transcode, job: Job, path: Path, plan: Plan) -> Blob:
    """Where the segments find the source. What a URL led to is stored once, so that nobody fetches it again."""
    if not is_remote(command.source):
        return job.input(command.source)
    if plan.fans_out:
        return job.stash(SOURCE, path)
    return Blob(key=SOURCE, bytes=path.stat().st_size, sha256=sha256_of(path))


def _fan_out(plan: Plan, source: Blob, stored: Blob, budget: Budget | None) -> FanOut:
    """A child for each part, and before them one for the sound, and one for the pictures besides the film.

    The dearest part comes first, so that no long one is left for the end; where the beginning is to be played early, the first one does.
    """
    assert plan.film is not None  # noqa: S101 - only pictures are cut
    sounding = SOUND_WEIGHT * plan.sounding
    costs = dict(zip(plan.film.parts, shares(plan.film.parts), strict=True))

    def child(number: int | None, weight: float) -> Child:
        return Child(EncodeSegment(source=source, plan=stored, part=number, budget=budget), weight)

    dearest = sorted(plan.film.parts, key=lambda part: costs[part], reverse=True)
    ordered = plan.film.parts if plan.early else dearest
    parts = [child(part.number, costs[part] * (1 - JOINING - sounding)) for part in ordered]
    before = [child(None, sounding)] if plan.sounding else []
    if plan.asides != Asides():
        before.append(Child(EncodeSegment(source=source, plan=stored, besides=True), BESIDES_WEIGHT))
    return FanOut([*before, *parts], own_weight=JOINING)


def encode_segment(command: EncodeSegment, job: Job, tools: Tools, settings: TranscoderSettings) -> SegmentResult:
    """A child's work: one part of the film, or its sound. Raises a JobError."""
    told, began = document.read(command.plan, job), time.time()
    plan = told.plan
    with workbench(job, tools, settings) as bench:
        shop = _workshop(plan, command.source, job, bench, command.budget)
        if command.besides:
            made = _besides(told, shop, job)
        elif command.part is None:
            made = shop.sound(Teller(job.progress, name="sound"))
        else:
            count = len(plan.film.parts) if plan.film else 0
            made = _picture(shop, command.part, Teller(job.progress, name=f"segment {command.part + 1} of {count}"))
        show_early(told, command.plan, shop, job)
    return SegmentResult(
        plan=command.plan,
        frames=made.frames,
        encoded=list(made.encoded),
        reused=list(made.reused),
        notes=list(made.notes),
        cpu_seconds=round(made.cpu, 3),
        started_at=round(began, 3),
        ended_at=round(time.time(), 3),
    )


def _besides(told: document.Document, shop: Workshop, job: Job) -> Made:
    with shop.source():
        draw(told.plan.asides, shop.bench, above(job), Teller(job.progress, name="pictures"))
    return Made()


def _picture(shop: Workshop, number: int, teller: Teller) -> Made:
    """A part in every rendition, and how it looks where somebody wants to know."""
    if not shop.plan.scored:
        return shop.picture(number, teller)
    made = shop.picture(number, teller.within(0.0, 1 - MEASURING))
    scores(shop, number, teller.within(1 - MEASURING, 1.0))
    return made


def _joined(command: Transcode, job: Job, bench: Bench, children: Sequence[ChildResult]) -> TranscodeResult:
    """All segments have ended: make films of them."""
    results = [SegmentResult.model_validate(child.result) for child in children if child.result is not None]
    told = document.read(results[0].plan, job)
    made = (
        Made(result.frames, tuple(result.encoded), tuple(result.reused), result.cpu_seconds, notes=tuple(result.notes))
        for result in results
    )
    wall = max(result.ended_at for result in results) - min(result.started_at for result in results)
    shop = _workshop(told.plan, told.source, job, bench)
    for artifact in (artifact for child in children for artifact in child.artifacts):
        with job.open(Blob(key=artifact.key, bytes=artifact.bytes)) as path:
            job.publish(artifact.name, path, artifact.media_type)
    result = conclude(told, shop, job, Effort(tuple(made), wall), Teller(job.progress, 1 - JOINING, 1.0), Seal.of(command.encryption))
    if told.stashed:
        shop.shelf.storage.delete(told.source.key)
    return result


def _workshop(plan: Plan, source: Blob, job: Job, bench: Bench, budget: Budget | None = None) -> Workshop:
    mark = plan.film.mark if plan.film else None
    needed = {SOURCE: source, **({mark.file: mark.blob} if mark else {})}

    @contextmanager
    def linked() -> Iterator[None]:
        with ExitStack() as stack:
            for name, blob in needed.items():
                link = bench.scratch / name
                link.symlink_to(stack.enter_context(job.open(blob)).absolute())
                stack.callback(link.unlink)
            yield

    shelf = Shelf.of(job, source, bench.tools, Storage.at(bench.settings.storage_url))
    return Workshop(plan, bench, shelf, linked, budget)
