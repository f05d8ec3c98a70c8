"""Hands the finished files over: single files first, then a package's segments, its playlists, and the master playlist last."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from services.transcoder.encode import Teller
from services.transcoder.outputs import MASTER, PACKAGE, Rendition
from services.transcoder.package import AUDIO, PLAYLIST, Playlist, read_master
from services.transcoder.plan import Plan
from services.transcoder.probe import Probe
from shared.contracts.transcoder import Output
from shared.job import Job

MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".jpg": "image/jpeg",
}


def media_type(name: str) -> str:
    """By the name's suffix, as IANA registers it; sound segments are audio."""
    found = MEDIA_TYPES[Path(name).suffix]
    return found.replace("video/", "audio/") if f"/{AUDIO}/" in name else found


def publish(plan: Plan, scratch: Path, job: Job, *, packaged: Mapping[str, Playlist], teller: Teller) -> None:
    """Store every artifact. A player that sees a playlist finds everything that it names."""
    names = dict(plan.publish)
    for name, playlist in packaged.items():
        names |= {path: path for path in (f"{PACKAGE}/{name}/{file}" for file in playlist.files)}
    names |= {path: path for path in (f"{PACKAGE}/{name}/{PLAYLIST}" for name in packaged)}
    names |= {f"{PACKAGE}/{MASTER}": f"{PACKAGE}/{MASTER}"} if packaged else {}
    for number, (name, file) in enumerate(names.items()):
        job.checkpoint()
        teller.tell(number / len(names), "publish", name)
        job.publish(name, scratch / file, media_type(name))


def outputs(plan: Plan, scratch: Path, probes: Mapping[str, Probe], packaged: Mapping[str, Playlist], cpu: float) -> list[Output]:
    """What was made, for the result: each single file, then each rendition of the package. `cpu` is what all encodes took."""
    shares = _shares(plan.renditions, cpu)
    single = [_file(name, probes[file], shares.get(file)) for name, file in plan.publish.items()]
    return single + (_package(plan, scratch, probes, packaged, shares) if packaged else [])


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
        container="mp4",
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
    plan: Plan, scratch: Path, probes: Mapping[str, Probe], packaged: Mapping[str, Playlist], shares: Mapping[str, float]
) -> list[Output]:
    variants = {variant.uri: variant for variant in read_master((scratch / PACKAGE / MASTER).read_text(encoding="utf-8"))}
    made = []
    for rendition in plan.hls:
        name = rendition.size.name
        uri, cpu = f"{name}/{PLAYLIST}", shares[rendition.file]
        video = probes[rendition.file].video
        made.append(
            Output(
                name=f"{PACKAGE}/{uri}",
                container="hls",
                width=rendition.size.width,
                height=rendition.size.height,
                duration=packaged[name].duration,
                frames=video.frames if video else None,
                bit_rate=variants[uri].bandwidth,
                codecs=variants[uri].codecs,
                bytes=sum((scratch / PACKAGE / name / file).stat().st_size for file in packaged[name].files),
                cpu_seconds=cpu,
                speed=_speed(packaged[name].duration, cpu),
            )
        )
    return made
