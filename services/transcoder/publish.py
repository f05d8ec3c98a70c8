"""Hands the finished files over: single files first, then a package's segments, its playlists, and the master playlist last."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.transcoder.codecs import CODECS, encoder
from services.transcoder.encode import Teller
from services.transcoder.media_types import media_type
from services.transcoder.outputs import MASTER, Rendition
from services.transcoder.package import MANIFEST
from services.transcoder.packing import Packed
from services.transcoder.plan import Plan
from services.transcoder.playlists import PLAYLIST, Variant, read_master
from services.transcoder.probe import Probe
from services.transcoder.seal import Seal
from services.transcoder.vmaf import Score
from shared.contracts.transcoder import Output
from shared.job import Job

CONTAINERS = {".mp4": "mp4", ".webm": "webm", ".m4a": "mp4", ".mp3": "mp3", ".opus": "ogg"}


def publish(plan: Plan, scratch: Path, job: Job, *, packed: Packed | None, seal: Seal | None, teller: Teller) -> None:
    """Store every artifact. A player that sees a playlist finds everything that it names."""
    if packed and seal:
        for name, content, kind in seal.artifacts(packed.package):
            job.publish(name, content, kind)
    names = {name: plan.published(file) for name, file in plan.publish.items()} | (
        {path: path for path in packed.files()} if packed else {}
    )
    for number, (name, file) in enumerate(names.items()):
        job.checkpoint()
        teller.tell(number / len(names), "publish", name)
        job.publish(name, scratch / file, media_type(name))


def outputs(
    plan: Plan, scratch: Path, probes: Mapping[str, Probe], packed: Packed | None, cpu: float, looks: Mapping[str, Score]
) -> list[Output]:
    """What was made, for the result: each single file, then each rendition of the package. `cpu` is what all encodes took."""
    shares = _shares(plan.renditions, cpu)
    told = {rendition.file: _quality(rendition, looks.get(rendition.file)) for rendition in plan.renditions}
    single = [_file(name, probes[file], shares.get(file)).model_copy(update=told.get(file)) for name, file in plan.publish.items()]
    return single + (_package(packed, scratch, probes, shares, told) if packed else [])


def _quality(rendition: Rendition, score: Score | None) -> dict[str, Any]:
    codec = CODECS[rendition.codec]
    known: dict[str, Any] = {"crf": None if rendition.rate else codec.crf if rendition.crf is None else rendition.crf}
    known |= {"encoder": encoder(rendition)}
    return known | ({"vmaf": round(score.mean, 2), "vmaf_min": round(score.low, 2)} if score else {})


def overweight(plan: Plan, made: Sequence[Output]) -> list[str]:
    """What to tell the user of outputs that take more bytes than they were asked to."""
    return [
        f"{output.name} has {output.bytes} bytes, {output.bytes / plan.sizes[output.name] - 1:.1%} more than asked for"
        for output in made
        if output.bytes and output.bytes > plan.sizes.get(output.name, output.bytes)
    ]


def _shares(renditions: Sequence[Rendition], cpu: float) -> dict[str, float]:
    """Each rendition's part of the CPU time, by its pixels: one process makes them all, from one decode."""
    pixels = {rendition.file: rendition.size.width * rendition.size.height for rendition in renditions}
    return {file: round(cpu * count / sum(pixels.values()), 3) for file, count in pixels.items()}


def _speed(duration: float, cpu: float | None) -> float | None:
    return round(duration / cpu, 3) if cpu else None


def _file(name: str, found: Probe, cpu: float | None) -> Output:
    video, audio = found.video, found.audio
    return Output(
        name=name,
        container=CONTAINERS[Path(name).suffix],
        width=video.width if video else None,
        height=video.height if video else None,
        duration=found.duration or 0.0,
        frames=video.frames if video else None,
        bit_rate=found.bit_rate,
        codecs=",".join(stream.codec_string for stream in (video, audio) if stream),
        bytes=found.bytes,
        cpu_seconds=cpu,
        speed=_speed(found.duration or 0.0, cpu),
    )


def _package(
    packed: Packed, scratch: Path, probes: Mapping[str, Probe], shares: Mapping[str, float], told: Mapping[str, dict[str, Any]]
) -> list[Output]:
    """HLS: each rendition's playlist. DASH: its manifest, with the figures of the largest rendition."""
    folder = packed.package.folder
    variants = {variant.uri: variant for variant in read_master((scratch / folder / MASTER).read_text(encoding="utf-8"))}
    made = [
        _rendition(rendition, packed, scratch, probes, variants, shares[rendition.file]).model_copy(update=told[rendition.file])
        for rendition in packed.package.renditions
    ]
    manifest = [made[0].model_copy(update=_whole(packed, scratch, sum(shares.values())))] if packed.package.dash else []
    return [*(made if packed.package.hls else []), *manifest]


def _rendition(
    rendition: Rendition, packed: Packed, scratch: Path, probes: Mapping[str, Probe], variants: Mapping[str, Variant], cpu: float
) -> Output:
    name, folder = rendition.size.name, packed.package.folder
    uri, playlist, video = f"{name}/{PLAYLIST}", packed.playlists[name], probes[rendition.file].video
    return Output(
        name=f"{folder}/{uri}",
        container="hls",
        width=rendition.size.width,
        height=rendition.size.height,
        duration=playlist.duration,
        frames=video.frames if video else None,
        bit_rate=variants[uri].bandwidth,
        codecs=variants[uri].codecs,
        bytes=sum((scratch / folder / name / file).stat().st_size for file in playlist.files),
        cpu_seconds=cpu,
        speed=_speed(playlist.duration, cpu),
    )


def _whole(packed: Packed, scratch: Path, cpu: float) -> dict[str, Any]:
    folder = packed.package.folder
    files = (scratch / folder / name / file for name, playlist in packed.playlists.items() for file in playlist.files)
    longest = max(playlist.duration for playlist in packed.playlists.values())
    return {
        "name": f"{folder}/{MANIFEST}",
        "container": "dash",
        "bytes": sum(file.stat().st_size for file in files),
        "cpu_seconds": round(cpu, 3),
        "speed": _speed(longest, cpu),
    }
