"""From a probe, a timeline and a request to a plan: every file to make, and the argument list of every program that makes it. Pure.

All renditions of a part come from one FFmpeg, so that the source is decoded once (one process for each costs 1.47 × the CPU).
HLS is packaged from the same files by Shaka Packager: FFmpeg's own fMP4 playlists start at 0.067 s, which players jump over.
Paths in a plan are relative to the job's scratch folder, in which the source lies as `source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from services.transcoder import captions, tags, voices, wishes
from services.transcoder.asides import Asides, asides
from services.transcoder.commands import encode, join, poster, sounds
from services.transcoder.film import Film
from services.transcoder.hardware import Hardware
from services.transcoder.ladder import Size
from services.transcoder.mark import Mark
from services.transcoder.outputs import PACKAGE, Rendition
from services.transcoder.package import Package
from services.transcoder.parts import Part, cut, length, samples, selection
from services.transcoder.probe import Probe
from services.transcoder.quality import SAMPLES, Choice
from services.transcoder.settings import TranscoderSettings
from services.transcoder.timeline import Timeline, steady, unbroken
from services.transcoder.voices import Voice
from shared.contracts.transcoder import Clip, Transcode
from shared.errors import PermanentError

NONE = Hardware()
POSTER_AT = 0.1
NAMED = "named-"
FRAME_SLACK = 1
"""Frames by which a container may miscount: an edit list may hide the last one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be made, as it is stored. Argument lists leave out the program."""

    found: Probe
    clip: Clip
    renditions: tuple[Rendition, ...]
    voices: tuple[Voice, ...]
    """Every sound to encode."""
    publish: dict[str, str]
    """Artifact name → file, for single files."""
    package: Package | None
    """HLS and DASH over one set of segments."""
    film: Film | None
    """None where there is no picture to encode."""
    asides: Asides
    texts: tuple[captions.Text, ...]
    posters: tuple[tuple[str, ...], ...]
    """Attempts at a poster, one after the other until one leaves a picture."""
    duration: float | None
    """Seconds of media that the outputs will last; None where the source does not say."""
    slack: float | None
    """Seconds by which an output may be shorter; None where the source's own figure is too vague to hold anybody to it."""
    frames: int | None
    """Frames that will be read from the source, where that is known before."""
    threads: int
    """Of each FFmpeg: the same on every worker, so that a part is the same wherever it is encoded."""
    notes: tuple[str, ...] = field(default=())
    """What was decided for the user, in sentences."""
    scored: bool = False
    """Whether every part's VMAF is measured."""
    samples: tuple[Part, ...] = ()
    """Pieces of the film to try qualities on; choosing one is left to audition.py."""
    early: bool = False
    """Whether the beginning can be played before the end is encoded."""
    tags: dict[str, str] = field(default_factory=dict)
    """What single files say of themselves."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Artifact name → the bytes it was asked to have."""
    choices: tuple[Choice, ...] = ()
    """What was tried, and found."""

    @property
    def sounding(self) -> bool:
        """Whether sound has to be encoded."""
        return bool(self.voices)

    def beside(self, rendition: Rendition) -> list[Voice]:
        """The sounds that go with a rendition: those that its container holds."""
        codec = "opus" if rendition.container == "webm" else "aac"
        return [voice for voice in self.voices if rendition.sound and voice.codec == codec]

    def inside(self, rendition: Rendition) -> list[captions.Text]:
        """The texts that go into a rendition's file, where it is published as one."""
        return [text for text in self.texts if text.embed and rendition.file in self.publish.values()]

    def join(self, rendition: Rendition) -> list[str]:
        """The arguments that make a rendition's file of its parts."""
        assert self.film is not None  # noqa: S101 - renditions come with a film
        said = self.tags if rendition.file in self.publish.values() else {}
        return join(self.film, rendition, self.beside(rendition), self.inside(rendition), said)

    def published(self, file: str) -> str:
        """The file to publish for a file of the plan: sounds are encoded without a word, and get theirs in a copy."""
        return f"{NAMED}{file}" if self.tags and any(voice.file == file for voice in self.voices) else file

    @property
    def fans_out(self) -> bool:
        """Whether parts are jobs of their own. A short film is one part, which the job does itself."""
        return self.film is not None and len(self.film.parts) > 1

    def encode(
        self, number: int, pictures: Sequence[Rendition], settings: TranscoderSettings, threads: int, *, first: bool = False
    ) -> list[str]:
        """The arguments that make `pictures` of part `number`; `first`: of the first of two passes."""
        assert self.film is not None  # noqa: S101 - renditions come with a film
        part = self.film.parts[number] if self.film.parts else None
        return encode(self.film, part, pictures, settings, threads=threads, first=first)

    def sound(self, wanted: Sequence[Voice], settings: TranscoderSettings, threads: int) -> list[str]:
        """The arguments that make these sounds, before their loudness is known."""
        return sounds(wanted, self.clip, settings, threads=threads)


def make(
    request: Transcode,
    found: Probe,
    timeline: Timeline | None,
    settings: TranscoderSettings,
    threads: int,
    *,
    mark: Mark | None = None,
    hardware: Hardware = NONE,
) -> Plan:
    """The plan. Raises PermanentError where the source lacks what was asked for, is cut off, or the clip lies outside it."""
    wanted = request.wanted()
    clip = request.clip or Clip()
    duration = clipped(found, clip)
    pictures, single, steps, notes = wishes.by_hardware(wishes.pictures(request, found, duration), hardware)
    speaking = voices.wanted(request, found, beside={picture.container for picture in pictures if picture.sound or picture in steps})
    publish = {name: rendition.file for name, rendition in single.items()}
    asked = {voices.PRESETS[preset] for preset in wanted if preset in voices.PRESETS}
    publish |= {voice.file: voice.file for voice in speaking if voice.codec in asked}
    texts = captions.wanted(request.captions, found)
    whole = clip.start == 0 and clip.duration is None
    film = _film(found, clip, timeline, pictures[0].size, settings) if found.video and pictures else None
    if film and mark:
        film = replace(film, mark=mark)
        for picture in pictures:
            mark.refuse_unfit(picture.size)
    if film and film.parts and whole:
        _refuse_cut_off(found, film)
    return Plan(
        found=found,
        clip=clip,
        renditions=pictures,
        voices=speaking,
        publish=publish,
        package=_package(request, steps, texts, speaking) if steps else None,
        texts=texts,
        film=film,
        asides=asides(request, found.video, timeline, clip.start, (film and film.duration) or duration, settings),
        posters=_posters(found, clip, duration, settings) if request.poster else (),
        duration=film.duration if film and film.parts else duration,
        slack=_slack(found),
        frames=(film and film.frames) or (_frames(found) if whole else None),
        threads=threads,
        notes=(*notes, *_unmeasured(request, film)),
        early=request.play_early,
        tags=tags.wanted(request.metadata, found.tags),
        sizes=wishes.sizes(request),
        scored=request.vmaf and bool(film and film.parts),
        samples=_samples(film, timeline, found, clip) if request.quality and film and timeline else (),
    )


def _unmeasured(request: Transcode, film: Film | None) -> list[str]:
    """What is said where VMAF was asked for and cannot be had."""
    if film is None or film.parts or not (request.vmaf or request.quality):
        return []
    return ["the source's frames cannot be told apart by their number, so VMAF cannot be measured: the usual quality is taken"]


def _samples(film: Film, timeline: Timeline, found: Probe, clip: Clip) -> tuple[Part, ...]:
    if not film.parts:
        return ()
    frames = selection(timeline, _origin(found, clip), clip.duration)
    return samples(timeline, frames, SAMPLES, start=found.start, container=found.container)


def _origin(found: Probe, clip: Clip) -> Fraction:
    """Where the film begins on the stream's clock."""
    return Fraction(found.start).limit_denominator(1_000_000) + Fraction(clip.start).limit_denominator(1_000_000)


def _film(found: Probe, clip: Clip, timeline: Timeline | None, top: Size, settings: TranscoderSettings) -> Film:
    assert found.video is not None  # noqa: S101 - asked for only where there is a picture
    if timeline is None or not unbroken(timeline, found.container):
        return Film(found.video, clip, top)
    origin = _origin(found, clip)
    frames = selection(timeline, origin, clip.duration)
    if not frames:
        return Film(found.video, clip, top)
    rate = steady(timeline, found.video.rate)
    whole = float(timeline.seconds(frames.stop) - timeline.seconds(frames.start))
    seconds = length(whole, settings.shortest_part, settings.longest_part)
    parts = cut(timeline, frames, seconds, start=found.start, container=found.container)
    offset = float(timeline.times[frames.start] * timeline.tick - origin)
    return Film(found.video, clip, top, parts, rate, max(round(offset, 6), 0.0))


def _refuse_cut_off(found: Probe, film: Film) -> None:
    """The container's own index promises what its packets do not keep."""
    promised, there = _frames(found), film.frames or 0
    if promised is not None and there < promised - FRAME_SLACK:
        raise PermanentError(
            f"the source is damaged or cut off: {there} of its {promised} frames are there", type="invalid-media", pointer="/source"
        )
    slack, there_seconds, seconds = _slack(found), film.duration or 0.0, lasts(found)
    if slack is not None and seconds is not None and there_seconds < seconds - slack:
        raise PermanentError(
            f"the source is damaged or cut off: {there_seconds:.2f} of its {seconds:.2f} s are there",
            type="invalid-media",
            pointer="/source",
        )


def clipped(found: Probe, clip: Clip) -> float | None:
    """How long the outputs will be, in seconds. Raises PermanentError for a clip that starts after the end."""
    whole = lasts(found)
    if whole is None:
        return clip.duration
    if clip.start >= whole:
        raise PermanentError(
            f"the clip starts at {clip.start:g} s, but the source lasts only {whole:.3f} s", type="invalid-request", pointer="/clip/start"
        )
    return min(whole - clip.start, clip.duration or whole)


def lasts(found: Probe) -> float | None:
    """Seconds of the source as it says itself. Matroska's duration is the time of its end: what begins late is shorter."""
    if found.video and found.video.duration:
        return found.video.duration
    late = found.start if "matroska" in found.container else 0.0
    return found.duration - late if found.duration else None


def _package(request: Transcode, steps: tuple[Rendition, ...], texts: Sequence[captions.Text], speaking: Sequence[Voice]) -> Package:
    """DASH alone has a folder of its own name; beside HLS it is one more list of the same files."""
    wanted = request.wanted()
    return Package(
        folder=PACKAGE if "hls" in wanted else "dash",
        renditions=steps,
        sounds=tuple(voices.track(voice, place) for place, voice in enumerate(voice for voice in speaking if voice.codec == "aac")),
        texts=tuple(text.track for text in texts),
        shown=captions.shown(request.captions, texts),
        hls="hls" in wanted,
        dash="dash" in wanted,
        scheme=request.encryption.scheme if request.encryption else None,
    )


def _posters(found: Probe, clip: Clip, duration: float | None, settings: TranscoderSettings) -> tuple[tuple[str, ...], ...]:
    """A tenth of the way in, preferably where there is light; the very first frame where that is past the last one."""
    if found.video is None:
        return ()
    at = clip.start + (duration or 0) * POSTER_AT
    tries = ((at, True), (at, False), (clip.start, False))
    return tuple(tuple(poster(found.video, when, settings, lit=lit)) for when, lit in tries)


def _frames(found: Probe) -> int | None:
    """The container's frame count, where it agrees with its own duration; an edit list or a variable rate makes it a guess."""
    video = found.video
    if video is None or video.frames is None or video.duration is None or not video.rate:
        return None
    return video.frames if abs(video.frames - video.duration * float(video.rate)) <= 1 else None


def _slack(found: Probe) -> float | None:
    """An MP4's index is exact; a Matroska header's duration is that of its longest stream; other formats estimate."""
    if found.video is None:
        return None
    if "mov" in found.container and found.video.duration and found.video.rate:
        return 2 / float(found.video.rate) + 0.05
    return 1.0 + 0.02 * (found.duration or 0) if "matroska" in found.container else None
