"""Which pictures a request wants: presets, custom outputs and a ladder, each encoding once, however many outputs need it. Pure."""

from dataclasses import replace
from typing import NamedTuple

from services.transcoder.hardware import Hardware
from services.transcoder.ladder import Size, fit, ladder
from services.transcoder.outputs import Rendition
from services.transcoder.probe import Probe, Video
from services.transcoder.voices import PRESETS as SOUNDS
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import CustomOutput
from shared.errors import PermanentError

HEIGHTS = {"mp4-480p": 480, "mp4-720p": 720, "mp4-1080p": 1080, "webm-720p": 720}

SOUND_RATES = {"mp4": 128_000, "webm": 96_000}
"""Bits a second of each track, as voices.py asks for it."""
SOUND_MORE = 1.07
"""How many times that it takes, at most: AAC overshoots on short films."""
CONTAINER = 0.015
"""Share of a file that is neither picture nor sound, amply."""
LEAST_RATE = 50_000


class Wishes(NamedTuple):
    """All encodings, largest first; those that become single files, by artifact name; those of HLS and DASH; what to tell the user."""

    renditions: tuple[Rendition, ...]
    single: dict[str, Rendition]
    steps: tuple[Rendition, ...]
    notes: list[str]


def pictures(request: Transcode, found: Probe, duration: float | None = None) -> Wishes:
    """The source gives `duration` seconds. Raises PermanentError where there is no picture to make them of, or too few bytes for it."""
    wanted, video = request.wanted(), found.video
    moving = [*(preset for preset in wanted if preset not in SOUNDS), *(f"outputs/{n}" for n in range(len(request.outputs)))]
    if video is None:
        if moving:
            raise PermanentError(
                f"the source has no picture, which {moving[0]} needs; the preset audio would do", type="no-video", pointer="/source"
            )
        return Wishes((), {}, (), [])
    customs: list[tuple[str, CustomOutput]] = [(preset, _preset(preset)) for preset in wanted if preset in HEIGHTS]
    customs += _own(request)
    first = len(customs) - len(request.outputs)
    rates = {
        artifact(name, custom): _rate(custom, f"/outputs/{at - first}/size", request, found, duration)
        for at, (name, custom) in enumerate(customs)
    }
    single = {
        artifact(name, custom): rendition(custom, video, rates[artifact(name, custom)], sounding=found.audio is not None)
        for name, custom in customs
    }
    if len(single) != len(customs):
        raise PermanentError("two outputs have the same name", type="invalid-request", pointer="/outputs")
    ladders = [_step(size) for size in ladder(video.display)] if {"hls", "dash"} & {*wanted} else []
    every = _merged([*single.values(), *ladders])
    notes = [
        f"{name}: the source is only {made.size.width}×{made.size.height}, and nothing is upscaled"
        for name, custom in customs
        if custom.short_side and (made := single[artifact(name, custom)]).size.short < custom.short_side - 1
    ]
    if video.hdr:
        notes.append(f"{video.hdr} high dynamic range was tone-mapped to BT.709, which every screen can show")
    if video.interlaced:
        notes.append("interlaced frames were deinterlaced")
    by_file = {one.file: one for one in every}
    return Wishes(
        tuple(every), {name: by_file[one.file] for name, one in single.items()}, tuple(by_file[one.file] for one in ladders), notes
    )


def _own(request: Transcode) -> list[tuple[str, CustomOutput]]:
    """The request's own outputs, by name."""
    return [(custom.name or f"video-{number}", custom) for number, custom in enumerate(request.outputs, start=1)]


def sizes(request: Transcode) -> dict[str, int]:
    """Artifact name → bytes, where an output was asked to have so many."""
    return {artifact(name, custom): custom.size for name, custom in _own(request) if custom.size}


def _rate(custom: CustomOutput, pointer: str, request: Transcode, found: Probe, duration: float | None) -> int | None:
    """Bits a second of the pictures, where they are to take so many on average: what the sound and the container leave of a size."""
    if custom.size is None:
        return custom.bit_rate
    if not duration:
        raise PermanentError(
            "the source does not say how long it is, so no bit rate can be found for a size", type="no-duration", pointer="/source"
        )
    tracks = len(found.sounds) if request.audio_tracks == "all" else len(request.audio_tracks or [0])
    sound = int(SOUND_RATES[custom.format] * SOUND_MORE) * min(tracks, len(found.sounds)) if custom.sound else 0
    rate = int(custom.size * 8 * (1 - CONTAINER) / duration) - sound
    if rate < LEAST_RATE:
        least = int((LEAST_RATE + sound) * duration / 8 / (1 - CONTAINER)) + 1
        raise PermanentError(
            f"{duration:.0f} s of picture and sound do not fit {custom.size} bytes; {least} are needed at least",
            type="invalid-request",
            pointer=pointer,
        )
    return rate


def _preset(name: str) -> CustomOutput:
    return CustomOutput(format="webm" if name.startswith("webm") else "mp4", short_side=HEIGHTS[name])


def artifact(name: str, custom: CustomOutput) -> str:
    """video-720p.mp4 for the preset mp4-720p; for a custom output, its own name."""
    stem = f"video-{name.partition('-')[2]}" if name in HEIGHTS else name
    return f"{stem}.{custom.format}"


def rendition(custom: CustomOutput, video: Video, rate: int | None, *, sounding: bool) -> Rendition:
    """The encoding of an output. What is all default has the name that a ladder's step has, and is the same."""
    size = fit(video.display, custom.short_side or min(video.display))
    own = [str(part) for part in (custom.crf, custom.max_bit_rate) if part is not None]
    own += [f"{rate}b" + ("-2" if custom.two_pass else "")] if rate else []
    codec = custom.chosen
    stem = "-".join([f"{size.width}x{size.height}", *([codec] if codec != "h264" else []), *own])
    return Rendition(
        size, f"{stem}.{custom.format}", custom.sound and sounding, codec, custom.crf, custom.max_bit_rate, rate, custom.two_pass
    )


def _step(size: Size) -> Rendition:
    return Rendition(size, f"{size.width}x{size.height}.mp4", sound=False)


def _merged(wanted: list[Rendition]) -> list[Rendition]:
    """By file, with sound where one of them has it; largest first, for that is where tone mapping happens."""
    every: dict[str, Rendition] = {}
    for one in wanted:
        every[one.file] = one if one.sound else every.get(one.file, one)
    return sorted(every.values(), key=lambda one: (one.size.short, one.size.width, one.size.height), reverse=True)


def by_hardware(wishes: Wishes, hardware: Hardware) -> Wishes:
    """The same, what can be by hardware by hardware; two passes are software's. What was looked for and not found is said."""
    if hardware.kind is None and not hardware.tried:
        return wishes

    def moved(one: Rendition) -> Rendition:
        return replace(one, encoder=None if one.two_pass else hardware.encoder(one.codec))

    renditions = tuple(map(moved, wishes.renditions))
    by = {kind: [one.size.name for one in renditions if one.encoder == kind] for kind in {one.encoder for one in renditions}}
    notes = [f"{', '.join(names)}: encoded by {'software' if kind is None else kind}" for kind, names in by.items()]
    notes += [f"{kind} does not work here ({why})" for kind, why in hardware.tried.items()]
    return Wishes(
        renditions, {name: moved(one) for name, one in wishes.single.items()}, tuple(map(moved, wishes.steps)), wishes.notes + notes
    )
