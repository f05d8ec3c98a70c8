"""The last step of every job: segments joined, checked, packaged, published, and told."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.transcoder import score
from services.transcoder.assemble import assemble
from services.transcoder.document import Document
from services.transcoder.encode import INCONSISTENT, Bench, Teller
from services.transcoder.packing import pack
from services.transcoder.plan import Plan
from services.transcoder.probe import Probe, probe
from services.transcoder.publish import outputs, overweight, publish
from services.transcoder.quality import Choice, bit_rate
from services.transcoder.seal import Seal
from services.transcoder.segment import Made, Workshop
from services.transcoder.tidy import retire
from services.transcoder.verify import verify
from services.transcoder.write import fetch
from shared.contracts.transcoder import Chosen, TranscodeResult, Trial
from shared.errors import BlobNotFoundError, PermanentError, TransientError
from shared.job import Job
from shared.storage import safe_key
from shared.telemetry import step

PUBLISHING = 0.4
"""Progress within this step when publishing begins."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Effort:
    """What the segments took: `wall` from the first one's start to the last one's end, `cpu` of all programs."""

    segments: tuple[Made, ...]
    wall: float

    @property
    def cpu(self) -> float:
        """Seconds."""
        return sum(made.cpu for made in self.segments)

    @property
    def pictures(self) -> list[Made]:
        """Without the sound."""
        return [made for made in self.segments if made.frames]


def conclude(told: Document, shop: Workshop, job: Job, effort: Effort, teller: Teller, seal: Seal | None = None) -> TranscodeResult:
    """Join, check, package, publish. Raises a JobError."""
    plan, bench = told.plan, shop.bench
    with ExitStack() as while_needed:
        with step("finish"):
            fetch(plan.texts, told.captions, bench, job)
            with _blamed_once(shop):
                assemble(shop, teller.within(0.0, PUBLISHING / 2), while_needed)
                teller.tell(PUBLISHING / 2, "check")
                probes = verify(plan, bench, sum(made.frames for made in effort.segments), lambda path: ask(bench, path))
            packed = pack(plan.package, bench, seal) if plan.package else None
            looks = score.whole(shop, teller) if plan.scored else {}
        with step("publish"):
            made = outputs(plan, bench.scratch, probes, packed, effort.cpu, looks)
            publish(plan, bench.scratch, job, packed=packed, seal=seal, teller=teller.within(PUBLISHING, 1.0))
    retire(shop.shelf, shop.digests(), bench.settings)
    seconds = max(output.duration for output in made)
    log.info("transcode_finished", outputs=len(made), wall=round(effort.wall, 3), cpu=round(effort.cpu, 3))
    return TranscodeResult(
        source=plan.found.summary(),
        outputs=made,
        poster=told.poster,
        encode_seconds=round(effort.wall, 3),
        cpu_seconds=round(effort.cpu, 3),
        speed=round(seconds / effort.wall, 3) if effort.wall else 0.0,
        binary=f"ffmpeg {bench.tools.ffmpeg.label}",
        notes=[*plan.notes, *overweight(plan, made), *(note for segment in effort.segments for note in segment.notes)],
        segments=len(effort.pictures),
        segments_reused=sum(not made.encoded for made in effort.pictures),
        quality=[_chosen(choice, plan) for choice in plan.choices],
    )


@contextmanager
def _blamed_once(shop: Workshop) -> Iterator[None]:
    """An output that comes out wrong in the same way a second time is no accident: the source's frames or times contradict each other.

    Raises PermanentError for it instead of TransientError.
    """
    try:
        yield
    except TransientError as error:
        if error.type != INCONSISTENT:
            raise
        key = safe_key(shop.shelf.family, INCONSISTENT)
        try:
            before = shop.shelf.storage.read(key).decode()
        except BlobNotFoundError:
            before = ""
        if before == error.detail:
            why = f"the source is damaged: what is made of it comes out wrong each time ({error.detail})"
            raise PermanentError(why, type="invalid-media", pointer="/source", said=error.said) from error
        shop.shelf.storage.put(key, error.detail.encode(), "text/plain")
        raise


def _chosen(choice: Choice, plan: Plan) -> Chosen:
    assert plan.film is not None  # noqa: S101 - only pictures have a quality
    seconds = sum(float(plan.film.exact_seconds(part)) for part in plan.samples)
    return Chosen(
        rendition=f"{choice.rendition.size.width}x{choice.rendition.size.height}",
        codec=choice.rendition.codec,
        target=choice.target,
        crf=choice.crf,
        expected=round(choice.expected, 2),
        samples=len(plan.samples),
        trials=[
            Trial(crf=crf, vmaf=round(found.mean, 2), bit_rate=bit_rate(found, seconds)) for crf, found in sorted(choice.tried.items())
        ],
    )


def ask(bench: Bench, path: Path) -> Probe:
    """Probe a file in the scratch folder."""
    return probe(path, bench.tools, bench.settings, cwd=bench.scratch, checkpoint=bench.checkpoint)
