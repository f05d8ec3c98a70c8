"""The plan as a document: stored before the first encode, shown among the job's artifacts, read by every segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from services.transcoder import package
from services.transcoder.estimate import Estimate, estimate
from services.transcoder.outputs import PLAN
from services.transcoder.plan import Plan
from services.transcoder.seal import FLAGS
from services.transcoder.settings import TranscoderSettings
from shared.contracts.base import Blob
from shared.job import Job

MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Document:
    """What will be done, with what it will cost, and every argument list (without the program) for people to read."""

    source: Blob
    stashed: bool
    """Whether the source is this job's own copy of what a URL led to."""
    captions: tuple[Blob, ...]
    """Where the texts of the plan lie."""
    poster: str | None
    """The poster's name, where one could be drawn."""
    estimate: Estimate
    plan: Plan
    commands: dict[str, tuple[tuple[str, ...], ...]]


_ADAPTER = TypeAdapter(Document)


def write(
    plan: Plan, source: Blob, settings: TranscoderSettings, *, stashed: bool, captions: Sequence[Blob], poster: str | None
) -> Document:
    """The document of a plan."""
    parts = range(len(plan.film.parts) or 1) if plan.film else range(0)
    twice = [rendition for rendition in plan.renditions if rendition.two_pass]
    once = [rendition for rendition in plan.renditions if not rendition.two_pass]
    commands = {
        "first passes": tuple(tuple(plan.encode(number, twice, settings, plan.threads, first=True)) for number in parts if twice),
        "second passes": tuple(tuple(plan.encode(number, twice, settings, plan.threads)) for number in parts if twice),
        "segments": tuple(tuple(plan.encode(number, once, settings, plan.threads)) for number in parts if once),
        "sound": (tuple(plan.sound(plan.voices, settings, plan.threads)),) if plan.sounding else (),
        "join": tuple(tuple(plan.join(rendition)) for rendition in plan.renditions),
        "package": (tuple(package.arguments(plan.package, flags=FLAGS if plan.package.scheme else None)),) if plan.package else (),
        "poster": plan.posters,
    }
    return Document(source, stashed, tuple(captions), poster, estimate(plan, settings), plan, commands)


def publish(document: Document, job: Job) -> Blob:
    """Store it, for people and for the segments."""
    made = job.publish(PLAN, _ADAPTER.dump_json(document, indent=1), MEDIA_TYPE)
    return Blob(key=made.key, bytes=made.bytes, sha256=made.sha256, media_type=MEDIA_TYPE)


def read(blob: Blob, job: Job) -> Document:
    """Read it again."""
    with job.open(blob) as path:
        return parse(path)


def parse(path: Path) -> Document:
    """A document from a file."""
    return _ADAPTER.validate_json(path.read_bytes())
