"""Segments become films: joined without encoding, the sound added, the start as late as it was; then held against the plan."""

from contextlib import ExitStack

import structlog

from services.transcoder.commands import concat_list, look_through, name
from services.transcoder.encode import INCONSISTENT, Teller, copy
from services.transcoder.outputs import Rendition
from services.transcoder.segment import Workshop
from shared.errors import TransientError

SLOWEST = 10
"""CPU seconds that decoding a second of film may take: large AV1 takes several."""

log = structlog.get_logger()


def assemble(shop: Workshop, teller: Teller, while_needed: ExitStack, *, parts: int | None = None) -> None:
    """Make every file of the plan in the scratch folder; of the first so many `parts`, or of all.

    What is missing on the shelf (somebody removed it) is encoded again, here.
    """
    if any(shop.shelf.find(shop.voice_digest(voice)) is None for voice in shop.plan.voices):
        shop.sound(teller)
    for voice in shop.plan.voices:
        blob = shop.shelf.find(shop.voice_digest(voice))
        while_needed.enter_context(shop.at_hand(blob, voice.file))
    for voice in shop.plan.voices:
        target = shop.plan.published(voice.file)
        if target != voice.file and voice.file in shop.plan.publish.values():
            copy(name(voice, target, shop.plan.tags), shop.bench)
    for done, rendition in enumerate(shop.plan.renditions):
        shop.bench.checkpoint()
        teller.tell(done / len(shop.plan.renditions), "join", rendition.size.name)
        _join(shop, rendition, teller, parts or (shop.plan.film and len(shop.plan.film.parts)) or 1)


def _join(shop: Workshop, rendition: Rendition, teller: Teller, parts: int, *, mended: bool = False) -> None:
    """`mended`: damaged segments have been encoded again once; what is damaged still is no accident."""
    try:
        _joined(shop, rendition, teller, parts)
        _look_through(rendition.file, shop)
    except TransientError as error:
        if mended or error.type != INCONSISTENT or not _discarded(shop, rendition, parts):
            raise
        _join(shop, rendition, teller, parts, mended=True)


def _joined(shop: Workshop, rendition: Rendition, teller: Teller, parts: int) -> None:
    plan, bench = shop.plan, shop.bench
    assert plan.film is not None  # noqa: S101 - renditions come with a film
    with ExitStack() as stack:
        for number in range(parts):
            if shop.find(number, rendition) is None:
                shop.picture(number, teller)
            stack.enter_context(shop.at_hand(shop.find(number, rendition), rendition.part(number)))
        (bench.scratch / rendition.list).write_text(concat_list(rendition, plan.film.seconds()[:parts]), encoding="ascii")
        copy(plan.join(rendition), bench)


def _look_through(file: str, shop: Workshop) -> None:
    """Raises TransientError, of type output-inconsistent, for damage."""
    settings, every = shop.bench.settings, shop.bench.settings.look_through == "frames"
    lasts = shop.plan.duration or settings.max_duration
    copy(look_through(file, shop.plan.threads, every_frame=every), shop.bench, lasts * (SLOWEST if every else 1))


def _discarded(shop: Workshop, rendition: Rendition, parts: int) -> list[int]:
    """The segments that are damaged themselves, which are off the shelf now: somebody's disk did that, not the source."""
    found = []
    for number in range(parts):
        with shop.at_hand(shop.find(number, rendition), rendition.part(number)):
            try:
                _look_through(rendition.part(number), shop)
            except TransientError as error:
                if error.type != INCONSISTENT:
                    raise
                log.warning("segment_damaged", part=number, rendition=rendition.file, detail=error.detail)
                shop.shelf.discard(shop.digest(number, rendition))
                found.append(number)
    return found
