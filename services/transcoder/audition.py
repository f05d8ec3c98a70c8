"""Finds the quality of a film that was asked for by its VMAF: a few seconds are encoded, measured, and the plan is changed.

What is tried are segments like any other: kept on the shelf, found there by a retry or a redrive, and paid from the same budget.
"""

from dataclasses import replace

import structlog

from services.transcoder import score
from services.transcoder.encode import Teller
from services.transcoder.outputs import Rendition
from services.transcoder.plan import Plan
from services.transcoder.quality import Choice, candidates, choose, describe, trials, variant
from services.transcoder.segment import Workshop
from shared.contracts.transcoder_options import Quality

log = structlog.get_logger()


def audition(shop: Workshop, asked: Quality, teller: Teller) -> Plan:
    """The workshop's plan with the qualities found. Raises a JobError."""
    plan = shop.plan
    open_ones = [rendition for rendition in plan.renditions if rendition.unsettled]
    if plan.film is None or not plan.samples or not open_ones:
        return plan
    film = replace(plan.film, parts=plan.samples)
    trial = replace(shop, plan=replace(plan, film=film, renditions=tuple(trials(plan.renditions, asked)), voices=(), scored=True))
    for part in plan.samples:
        here = teller.within(part.number / len(plan.samples), (part.number + 1) / len(plan.samples)).named("quality")
        trial.picture(part.number, here)
    measured = score.whole(trial, teller)
    choices = []
    for rendition in open_ones:
        tried = {crf: measured[variant(rendition, crf).file] for crf in candidates(rendition.codec, asked)}
        crf, expected = choose(asked, rendition.codec, {crf: found.mean for crf, found in tried.items()})
        choices.append(Choice(rendition, tried, crf, expected, asked.vmaf))
    log.info("quality_chosen", target=asked.vmaf, crf={choice.rendition.file: choice.crf for choice in choices})
    notes = [note for choice in choices if (note := describe(choice))]
    return _with(plan, choices, notes)


def _with(plan: Plan, choices: list[Choice], notes: list[str]) -> Plan:
    found = {choice.rendition.file: choice.crf for choice in choices}

    def at_its_quality(rendition: Rendition) -> Rendition:
        return replace(rendition, crf=found.get(rendition.file, rendition.crf))

    package = plan.package
    if package is not None:
        package = replace(package, renditions=tuple(map(at_its_quality, package.renditions)))
    renditions = tuple(map(at_its_quality, plan.renditions))
    return replace(plan, renditions=renditions, package=package, choices=tuple(choices), notes=(*plan.notes, *notes))
