"""The sounds of a request: which tracks of the source, in which codecs, how loud. What to make, and FFmpeg's argument lists; pure.

Every sound is encoded once and whole: in pieces, each cut would add the encoder's priming (155 ms late after a minute of six pieces).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from services.transcoder.outputs import SOUND
from services.transcoder.package import AUDIO, UNKNOWN, Track
from services.transcoder.probe import Audio, Probe
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import Loudness
from shared.errors import PermanentError

Codec = Literal["aac", "mp3", "opus"]
PRESETS: Mapping[str, Codec] = {"audio": "aac", "audio-mp3": "mp3", "audio-opus": "opus"}
SUFFIXES: Mapping[Codec, str] = {"aac": "m4a", "mp3": "mp3", "opus": "opus"}
WRITING: Mapping[Codec, tuple[str, ...]] = {
    "aac": ("-c:a", "aac", "-b:a", "128000", "-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"),
    "mp3": ("-c:a", "libmp3lame", "-b:a", "160000", "-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp3"),
    "opus": ("-c:a", "libopus", "-b:a", "96000", "-map_metadata", "-1", "-map_chapters", "-1", "-f", "ogg"),
}
HELD: Mapping[str, Codec] = {"mp4": "aac", "webm": "opus"}
RATES = (44_100, 48_000)
"""Sample rates in Hz that are kept; any other becomes the last."""
MEASURED = re.compile(r'"(input_i|input_tp|input_lra|input_thresh|target_offset)"\s*:\s*"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Voice:
    """One encoded sound: `file`, made of track `track` (counted from 0) of the source."""

    file: str
    track: int
    audio: Audio
    codec: Codec
    loudness: Loudness | None = None

    @property
    def label(self) -> str:
        """What viewers read in a menu."""
        return self.audio.title or (self.audio.language if self.audio.language != UNKNOWN else f"track {self.track + 1}")


@dataclass(frozen=True, slots=True)
class Measured:
    """What the first pass found: EBU R128's figures, as the filter writes them. None of it is finite in silence."""

    figures: dict[str, str]

    @classmethod
    def read(cls, words: Sequence[str]) -> "Measured | None":
        """From what FFmpeg said; None for silence."""
        figures = dict(MEASURED.findall("\n".join(words)))
        return cls(figures) if len(figures) == 5 and all(isfinite(float(value)) for value in figures.values()) else None  # noqa: PLR2004

    @property
    def options(self) -> str:
        """For the second pass, which changes the volume once for all: by how much is known now."""
        told = {"input_i": "measured_I", "input_tp": "measured_TP", "input_lra": "measured_LRA", "input_thresh": "measured_thresh"}
        options = [f"{told[name]}={value}" for name, value in self.figures.items() if name in told]
        return ":".join([*options, f"offset={self.figures['target_offset']}", "linear=true"])


def wanted(request: Transcode, found: Probe, *, beside: Collection[str]) -> tuple[Voice, ...]:
    """All sounds to encode: each preset's own, and what the containers `beside` which they are heard hold.

    Raises PermanentError for a track that is not there.
    """
    codecs: list[Codec] = [PRESETS[preset] for preset in request.wanted() if preset in PRESETS]
    if codecs and not found.sounds:
        raise PermanentError("the source has no sound to make an audio file of", type="no-audio", pointer="/source")
    codecs += [codec for container, codec in HELD.items() if container in beside and codec not in codecs]
    tracks = _tracks(request, found)
    return tuple(
        Voice(_name(place, codec), track, found.sounds[track], codec, request.loudness) for codec in codecs for place, track in tracks
    )


def _tracks(request: Transcode, found: Probe) -> list[tuple[int, int]]:
    """The place among the outputs, and the number among the source's tracks."""
    numbers = list(range(len(found.sounds))) if request.audio_tracks == "all" else list(dict.fromkeys(request.audio_tracks or [0]))
    for at, number in enumerate(numbers):
        if number >= len(found.sounds) and (request.audio_tracks is not None or found.sounds):
            raise PermanentError(
                f"the source has {len(found.sounds)} sound tracks, counted from 0", type="no-audio", pointer=f"/audio_tracks/{at}"
            )
    return list(enumerate(numbers)) if found.sounds else []


def _name(place: int, codec: Codec) -> str:
    """audio.m4a, audio-2.m4a and so on."""
    stem = SOUND.partition(".")[0]
    return f"{stem}{f'-{place + 1}' if place else ''}.{SUFFIXES[codec]}"


def track(voice: Voice, place: int) -> Track:
    """As a track of a package."""
    return Track(voice.file, AUDIO if place == 0 else f"{AUDIO}-{place + 1}", voice.label, voice.audio.language)


def graph(voices: Sequence[Voice], measured: Mapping[int, Measured | None] | None = None) -> str:
    """Each voice on a pad [a0], [a1] … in their order; gaps filled with silence, starting at 0 with the file.

    One chain for each track and a split, never a chain for each output: where the sound starts late, two filters that pad it from the same
    stream bring FFmpeg 9.0's scheduler to a deadlock.
    """
    chains = []
    for number in dict.fromkeys(voice.track for voice in voices):
        pads = [f"[a{at}]" for at, voice in enumerate(voices) if voice.track == number]
        voice = next(voice for voice in voices if voice.track == number)
        split = [f"asplit={len(pads)}"] if len(pads) > 1 else []
        chains.append(f"[0:{voice.audio.index}]{','.join([*_prepared(voice), *_levelled(voice, measured), *split])}{''.join(pads)}")
    return ";".join(chains)


def _prepared(voice: Voice) -> list[str]:
    """Stereo, or mono where it was mono."""
    return [f"aresample={_rate(voice)}:out_chlayout={'mono' if voice.audio.channels == 1 else 'stereo'}:async=1:first_pts=0"]


def _rate(voice: Voice) -> int:
    return voice.audio.rate if voice.audio.rate in RATES else RATES[-1]


def _levelled(voice: Voice, measured: Mapping[int, Measured | None] | None) -> list[str]:
    """Silence stays silence. The filter works at 192 kHz, which nobody wants to store.

    Where it holds peaks down, FFmpeg 9.0 stamps its output 88 ms late; the samples are all there and in their order, so they are counted.
    """
    if voice.loudness is None:
        return []
    if measured is None:
        return [_norm(voice.loudness)]
    found = measured.get(voice.track)
    return [f"{_norm(voice.loudness)}:{found.options}", f"aresample={_rate(voice)}", "asetpts=N/SR/TB"] if found else []


def _norm(asked: Loudness) -> str:
    return f"loudnorm=I={asked.target:g}:TP={asked.true_peak:g}:LRA={asked.range:g}"


def writing(voices: Sequence[Voice]) -> Iterator[str]:
    """The output options of all voices."""
    for number, voice in enumerate(voices):
        yield from ("-map", f"[a{number}]", *WRITING[voice.codec], f"file:{voice.file}")


def measuring(voice: Voice) -> list[str]:
    """The options after the input of a first pass: what it finds it says on stderr."""
    assert voice.loudness is not None  # noqa: S101 - asked for only where there is one
    chain = f"[0:{voice.audio.index}]{','.join([*_prepared(voice), _norm(voice.loudness) + ':print_format=json'])}[a0]"
    return ["-filter_complex", chain, "-map", "[a0]", "-f", "null", "-"]


def describe(voice: Voice, found: Measured | None) -> str:
    """What happened to its loudness, for the user."""
    assert voice.loudness is not None  # noqa: S101 - asked for only where there is one
    if found is None:
        return f"sound track {voice.track} is silent, which has no loudness"
    return f"sound track {voice.track}: {found.figures['input_i']} LUFS became {voice.loudness.target:g} (EBU R128, two passes)"
