"""One segment of a film, or its sound: taken from the shelf where it lies there, else encoded and put there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import structlog

from services.transcoder import detect, vmaf
from services.transcoder.budget import Purse
from services.transcoder.commands import encode as encode_arguments
from services.transcoder.encode import Bench, Teller, encode
from services.transcoder.estimate import cpu_limit
from services.transcoder.outputs import Rendition
from services.transcoder.parts import Part
from services.transcoder.plan import FRAME_SLACK, Plan
from services.transcoder.progress import Goal
from services.transcoder.run import Ended
from services.transcoder.shelf import Shelf
from services.transcoder.speak import speak
from services.transcoder.voices import Voice
from shared.contracts.base import Blob
from shared.contracts.transcoder import Budget
from shared.errors import PermanentError, TransientError

EARLIER = (20.0, 3_600.0)
"""Seconds earlier that reading begins where the first try did not find all frames: a seek in a broadcast may land too late."""

Source = Callable[[], AbstractContextManager[None]]
"""Puts the source into the scratch folder; called only where something has to be encoded."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """What a segment took. `encoded` and `reused` name files of renditions; times in seconds."""

    frames: int = 0
    encoded: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    cpu: float = 0.0
    wall: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workshop:
    """What it takes to make a plan's segments."""

    plan: Plan
    bench: Bench
    shelf: Shelf
    source: Source
    budget: Budget | None = None

    @property
    def purse(self) -> Purse:
        """What may still be spent."""
        return Purse(self.budget, self.shelf)

    def digest(self, number: int, rendition: Rendition) -> str:
        """What a segment in one rendition is called on the shelf: by the command that would make it alone, on any number of threads."""
        return self.shelf.digest(self.plan.encode(number, [rendition], self.bench.settings, 0))

    def voice_digest(self, voice: Voice) -> str:
        """Likewise, of a sound."""
        return self.shelf.digest(self.plan.sound([voice], self.bench.settings, 0))

    def score_digest(self, number: int, rendition: Rendition) -> str:
        """Likewise, of what is known about how such a segment looks."""
        assert self.plan.film is not None  # noqa: S101 - renditions come with a film
        measuring = vmaf.arguments(self.plan.film, self.plan.film.parts[number], [rendition], self.bench.settings, threads=0)
        return self.shelf.digest([self.digest(number, rendition), *measuring])

    def digests(self) -> list[str]:
        """Of everything that the plan lays on the shelf."""
        film = self.plan.film
        parts = range(len(film.parts) or 1) if film else range(0)
        pictures = [self.digest(number, rendition) for number in parts for rendition in self.plan.renditions]
        looks = [self.score_digest(number, rendition) for number in parts for rendition in self.plan.renditions if self.plan.scored]
        return pictures + looks + [self.voice_digest(voice) for voice in self.plan.voices]

    def find(self, number: int, rendition: Rendition) -> Blob | None:
        """The finished segment."""
        return self.shelf.find(self.digest(number, rendition))

    def picture(self, number: int, teller: Teller) -> Made:
        """Part `number` in every rendition; only what is missing is encoded, all of it from one decode. Raises a JobError."""
        missing = [rendition for rendition in self.plan.renditions if self.find(number, rendition) is None]
        reused = tuple(rendition.file for rendition in self.plan.renditions if rendition not in missing)
        film = self.plan.film
        frames = film.parts[number].count if film and film.parts else 0
        if not missing:
            return Made(frames, reused=reused)
        with self.purse.spending(f"part-{number}") as spend:
            with self.source():
                ended = self._encode(number, missing, teller)
            spend(ended.cpu)
        for rendition in missing:
            path = self.bench.scratch / rendition.part(number)
            self.shelf.keep(self.digest(number, rendition), path)
            path.unlink()
        names = tuple(rendition.file for rendition in missing)
        log.info(
            "segment_encoded", part=number, renditions=names, frames=ended.last.frame, cpu=round(ended.cpu, 3), wall=round(ended.wall, 3)
        )
        return Made(ended.last.frame, names, reused, ended.cpu, ended.wall)

    @contextmanager
    def at_hand(self, blob: Blob | None, name: str) -> Iterator[None]:
        """What lies on the shelf, under `name` in the scratch folder. Raises TransientError where it is gone."""
        if blob is None:
            raise TransientError(f"{name} vanished from storage while it was needed", type="segment-lost")
        link = self.bench.scratch / name
        with self.shelf.storage.local(blob.key) as path:
            link.symlink_to(path.absolute())
            try:
                yield
            finally:
                link.unlink(missing_ok=True)

    def sound(self, teller: Teller) -> Made:
        """Every sound, whole; only what is missing is encoded, all of it from one decode. Raises a JobError."""
        missing = [voice for voice in self.plan.voices if self.shelf.find(self.voice_digest(voice)) is None]
        reused = tuple(voice.file for voice in self.plan.voices if voice not in missing)
        if not missing:
            return Made(reused=reused)
        with self.purse.spending("sound") as spend:
            with self.source():
                spoken = speak(missing, self.plan, self.bench, teller)
            spend(spoken.cpu)
        for voice in missing:
            path = self.bench.scratch / voice.file
            self.shelf.keep(self.voice_digest(voice), path)
            path.unlink()
        names = tuple(voice.file for voice in missing)
        log.info("sound_encoded", files=names, cpu=round(spoken.cpu, 3), wall=round(spoken.wall, 3))
        return Made(0, names, reused, spoken.cpu, spoken.wall, spoken.notes)

    def _encode(self, number: int, pictures: list[Rendition], teller: Teller) -> Ended:
        film = self.plan.film
        assert film is not None  # noqa: S101 - renditions come with a film
        if not film.parts:
            return _whole(self.plan, self._run(None, pictures, teller))
        part = film.parts[number]
        tries = [part] + [replace(part, seek=max(part.seek - earlier, 0.0) or None) for earlier in EARLIER if part.seek]
        for at in tries:
            ended = self._run(at, pictures, teller)
            if ended.last.frame == part.count:
                return ended
            log.warning("segment_short", part=number, frames=ended.last.frame, of=part.count, seek=at.seek)
        raise PermanentError(
            f"the source is damaged or cut off: {ended.last.frame} of {part.count} frames could be read from "
            f"{sum(film.seconds()[:number]):.2f} s on",
            type="invalid-media",
            pointer="/source",
        )

    def _run(self, part: Part | None, pictures: list[Rendition], teller: Teller) -> Ended:
        """All pictures of a part: those of one pass from one decode, those of two from one decode each pass."""
        once, twice = ([one for one in pictures if one.two_pass is two] for two in (False, True))
        runs = [(group, first) for group, first in ((once, False), (twice, True), (twice, False)) if group]
        ended = [
            self._one_run(part, group, teller.within(at / len(runs), (at + 1) / len(runs)), first=first)
            for at, (group, first) in enumerate(runs)
        ]
        fewest = min(ended, key=lambda one: one.last.frame)
        return replace(fewest, cpu=sum(one.cpu for one in ended), wall=sum(one.wall for one in ended))

    def _one_run(self, part: Part | None, pictures: list[Rendition], teller: Teller, *, first: bool) -> Ended:
        film, settings = self.plan.film, self.bench.settings
        assert film is not None  # noqa: S101 - as above
        arguments = encode_arguments(film, part, pictures, settings, threads=self.plan.threads, first=first)
        duration = float(film.exact_seconds(part)) if part else self.plan.duration
        share = duration / self.plan.duration if duration and self.plan.duration else 1.0
        frames = part.count if part else round(duration * float(film.video.rate)) if duration else None
        with self._hardware(pictures):
            return encode(arguments, Goal(duration, frames or None), cpu_limit(self.plan, share, settings), self.bench, teller)

    @contextmanager
    def _hardware(self, pictures: list[Rendition]) -> Iterator[None]:
        """What goes wrong with hardware is not taken for the source's fault. Raises TransientError where this worker lacks it."""
        kinds = sorted({one.encoder for one in pictures if one.encoder})
        lacking = [kind for kind in kinds if detect.found().kind != kind]
        if lacking:
            raise TransientError(
                f"the plan asks for {lacking[0]}, which does not work on this worker; TRANSCODER_HARDWARE must be the same on all",
                type="hardware-missing",
            )
        try:
            yield
        except PermanentError as failed:
            if not kinds or failed.type not in ("encoder-failed", "too-large"):  # the latter: "out of memory" is a GPU's word for busy
                raise
            raise TransientError(f"{kinds[0]} failed: {failed.detail}", type="hardware-failed", said=failed.said) from failed


def _whole(plan: Plan, ended: Ended) -> Ended:
    """Were all of the source's frames read, as far as anybody can tell? What was dropped or doubled to keep time is accounted for."""
    last = ended.last
    read = last.frame + last.dropped - last.duplicated
    if plan.frames is not None and read < plan.frames - FRAME_SLACK:
        raise PermanentError(
            f"the source is damaged or cut off: {read} of its {plan.frames} frames could be read", type="invalid-media", pointer="/source"
        )
    if last.frame == 0:
        raise PermanentError("the source is damaged: none of its frames could be read", type="invalid-media", pointer="/source")
    return ended
