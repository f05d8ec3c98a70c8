"""Hands the finished files over: single files first, then a package's segments, its playlists, and the master playlist last."""

from collections.abc import Mapping
from pathlib import Path

from services.transcoder.outputs import MASTER, PACKAGE, POSTER
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


def publish(plan: Plan, scratch: Path, job: Job, *, packaged: Mapping[str, Playlist], poster: str | None) -> None:
    """Store every artifact. A player that sees a playlist finds everything that it names."""
    names = dict(plan.publish) | ({POSTER: poster} if poster else {})
    for name, playlist in packaged.items():
        names |= {path: path for path in (f"{PACKAGE}/{name}/{file}" for file in playlist.files)}
    names |= {path: path for path in (f"{PACKAGE}/{name}/{PLAYLIST}" for name in packaged)}
    names |= {f"{PACKAGE}/{MASTER}": f"{PACKAGE}/{MASTER}"} if packaged else {}
    for number, (name, file) in enumerate(names.items()):
        job.checkpoint()
        job.progress(0.97 + 0.03 * number / len(names), "publish", name)
        job.publish(name, scratch / file, media_type(name))


def outputs(plan: Plan, scratch: Path, probes: Mapping[str, Probe], packaged: Mapping[str, Playlist]) -> list[Output]:
    """What was made, for the result: each single file, then each rendition of the package."""
    single = [_file(name, probes[file]) for name, file in plan.publish.items()]
    return single + (_package(plan, scratch, probes, packaged) if packaged else [])


def _file(name: str, found: Probe) -> Output:
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
    )


def _package(plan: Plan, scratch: Path, probes: Mapping[str, Probe], packaged: Mapping[str, Playlist]) -> list[Output]:
    variants = {variant.uri: variant for variant in read_master((scratch / PACKAGE / MASTER).read_text(encoding="utf-8"))}
    made = []
    for rendition in plan.hls:
        uri = f"{rendition.size.name}/{PLAYLIST}"
        video = probes[rendition.file].video
        made.append(
            Output(
                name=f"{PACKAGE}/{uri}",
                container="hls",
                width=rendition.size.width,
                height=rendition.size.height,
                duration=packaged[rendition.size.name].duration,
                frames=video.frames if video else None,
                bit_rate=variants[uri].bandwidth,
                codecs=variants[uri].codecs,
            )
        )
    return made
