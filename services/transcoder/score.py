"""Measures how finished segments look, and puts the figures on the shelf beside them: what was measured once is not measured again."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

import structlog

from services.transcoder import vmaf
from services.transcoder.encode import Teller, encode
from services.transcoder.estimate import cpu_limit
from services.transcoder.outputs import Rendition
from services.transcoder.progress import Goal
from services.transcoder.segment import Workshop
from services.transcoder.vmaf import Score
from shared.errors import TransientError

log = structlog.get_logger()


def scores(shop: Workshop, number: int, teller: Teller) -> Mapping[str, Score]:
    """How part `number` looks, by rendition's file; what nobody measured yet is measured here, all of it from one decode.

    Raises a JobError.
    """
    known = {rendition.file: found for rendition in shop.plan.renditions if (found := _known(shop, number, rendition)) is not None}
    missing = [rendition for rendition in shop.plan.renditions if rendition.file not in known]
    return {**known, **(_measured(shop, number, missing, teller) if missing else {})}


def whole(shop: Workshop, teller: Teller) -> Mapping[str, Score]:
    """Likewise, of the whole film."""
    assert shop.plan.film is not None  # noqa: S101 - only pictures are measured
    parts = [scores(shop, part.number, teller) for part in shop.plan.film.parts]
    return {rendition.file: vmaf.together([part[rendition.file] for part in parts]) for rendition in shop.plan.renditions}


def _known(shop: Workshop, number: int, rendition: Rendition) -> Score | None:
    blob = shop.shelf.find(shop.score_digest(number, rendition))
    return Score(**json.loads(shop.shelf.storage.read(blob.key))) if blob else None


def _measured(shop: Workshop, number: int, missing: Sequence[Rendition], teller: Teller) -> dict[str, Score]:
    film, bench = shop.plan.film, shop.bench
    assert film is not None  # noqa: S101 - as above
    part, found = film.parts[number], dict[str, Score]()
    with ExitStack() as stack:
        spend = stack.enter_context(shop.purse.spending(f"score-{number}"))
        blobs = [shop.find(number, rendition) for rendition in missing]
        for rendition, blob in zip(missing, blobs, strict=True):
            stack.enter_context(shop.at_hand(blob, rendition.part(number)))
        stack.enter_context(shop.source())
        arguments = vmaf.arguments(film, part, missing, bench.settings, threads=shop.plan.threads)
        seconds = float(film.exact_seconds(part))
        share = seconds / shop.plan.duration if shop.plan.duration else 1.0
        ended = encode(arguments, Goal(seconds, part.count), cpu_limit(shop.plan, share, bench.settings), bench, teller.named("measure"))
        spend(ended.cpu)
    for rendition, blob in zip(missing, blobs, strict=True):
        path = bench.scratch / vmaf.told(number, rendition)
        try:
            score = vmaf.read(path.read_text(encoding="utf-8"), part.count, blob.bytes if blob else 0)
        except (OSError, ValueError) as odd:
            raise TransientError(f"how {rendition.file} looks could not be measured: {odd}", type="not-measured") from odd
        path.unlink()
        shop.shelf.keep(shop.score_digest(number, rendition), json.dumps(asdict(score)).encode(), "application/json")
        found[rendition.file] = score
    log.info("segment_measured", part=number, scores={file: round(score.mean, 2) for file, score in found.items()}, cpu=round(ended.cpu, 3))
    return found
