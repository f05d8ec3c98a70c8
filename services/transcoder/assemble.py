"""Segments become films: joined without encoding, the sound added, the start as late as it was; then held against the plan."""

from contextlib import ExitStack

from services.transcoder.commands import concat_list, look_through, name
from services.transcoder.encode import Teller, copy
from services.transcoder.outputs import Rendition
from services.transcoder.segment import Workshop


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
        _join(shop, rendition, teller, parts)


def _join(shop: Workshop, rendition: Rendition, teller: Teller, parts: int | None) -> None:
    plan, bench = shop.plan, shop.bench
    assert plan.film is not None  # noqa: S101 - renditions come with a film
    with ExitStack() as stack:
        for number in range(parts or len(plan.film.parts) or 1):
            if shop.find(number, rendition) is None:
                shop.picture(number, teller)
            stack.enter_context(shop.at_hand(shop.find(number, rendition), rendition.part(number)))
        (bench.scratch / rendition.list).write_text(concat_list(rendition, plan.film.seconds()[:parts]), encoding="ascii")
        copy(plan.join(rendition), bench)
    copy(look_through(rendition, plan.threads), bench, plan.duration or bench.settings.max_duration)
