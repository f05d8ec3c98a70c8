"""Encodes the sounds of a plan: where their loudness is to change, once to measure it and once to write it."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.transcoder.commands import measure, sounds
from services.transcoder.encode import Bench, Teller, encode
from services.transcoder.estimate import cpu_limit
from services.transcoder.plan import Plan
from services.transcoder.progress import Goal
from services.transcoder.voices import Measured, Voice, describe
from shared.errors import PermanentError

MEASURING = 0.4
"""Share of the sound's progress that the first pass is taken for."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What it took, in seconds, and what to tell the user."""

    cpu: float
    wall: float
    notes: tuple[str, ...] = ()


def speak(missing: Sequence[Voice], plan: Plan, bench: Bench, teller: Teller) -> Spoken:
    """Leave the files in the scratch folder. Raises a JobError."""
    goal, limit = Goal(plan.duration, None), cpu_limit(plan, 1.0, bench.settings)
    quiet = list({voice.track: voice for voice in missing if voice.loudness}.values())
    measured: dict[int, Measured | None] = {}
    cpu = wall = 0.0
    for number, voice in enumerate(quiet):
        within = teller.within(MEASURING * number / len(quiet), MEASURING * (number + 1) / len(quiet))
        ended = encode(measure(voice, plan.clip, bench.settings, threads=plan.threads), goal, limit, bench, within)
        measured[voice.track] = Measured.read(ended.words)
        cpu, wall = cpu + ended.cpu, wall + ended.wall
    arguments = sounds(missing, plan.clip, bench.settings, threads=plan.threads, measured=measured)
    ended = encode(arguments, goal, limit, bench, teller.within(MEASURING if quiet else 0.0, 1.0))
    if not ended.last.seconds:  # FFmpeg leaves an empty file and exits with 0
        raise PermanentError("the source is damaged: none of its sound could be read", type="invalid-media", pointer="/source")
    notes = tuple(describe(voice, measured[voice.track]) for voice in quiet)
    return Spoken(cpu + ended.cpu, wall + ended.wall, notes)
