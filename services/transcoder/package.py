"""HLS by Shaka Packager: one CMAF set from the encoded files, and the playlists read again to see that they agree."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from services.transcoder.outputs import MASTER, PACKAGE, SOUND, Rendition
from shared.errors import TransientError

SEGMENT_SECONDS = 6
AUDIO = "audio"
PLAYLIST = "playlist.m3u8"


def arguments(renditions: Sequence[Rendition], *, sound: bool) -> list[str]:
    """The packager's arguments. Segments begin at keyframes, which lie at the same times in every rendition."""
    streams = [_stream(rendition.file, "video", rendition.size.name) for rendition in renditions]
    if sound:
        streams.append(f"{_stream(SOUND, 'audio', AUDIO)},hls_group_id={AUDIO},hls_name=main")
    return ["--quiet", *streams, "--segment_duration", str(SEGMENT_SECONDS), "--hls_master_playlist_output", f"{PACKAGE}/{MASTER}"]


def _stream(file: str, kind: str, name: str) -> str:
    folder = f"{PACKAGE}/{name}"
    parts = f"init_segment={folder}/init.mp4,segment_template={folder}/seg_$Number%05d$.m4s,playlist_name={name}/{PLAYLIST}"
    return f"in={file},stream={kind},{parts}"


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist: its files in order (relative to its folder, the initialisation first) and its segments' seconds."""

    files: tuple[str, ...]
    seconds: tuple[float, ...]
    complete: bool

    @property
    def duration(self) -> float:
        """Of all segments, in seconds."""
        return math.fsum(self.seconds)


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of a master playlist; `bandwidth` is the average in bits a second."""

    uri: str
    codecs: str
    bandwidth: int


def read_playlist(text: str) -> Playlist:
    """A media playlist's text (RFC 8216 §4.3)."""
    lines = [line.strip() for line in text.splitlines()]
    start = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)
    segments = [line for line in lines if line and not line.startswith("#")]
    seconds = tuple(float(found) for found in re.findall(r"#EXTINF:([0-9.]+)", text))
    return Playlist((*map(unquote, start), *map(unquote, segments)), seconds, "#EXT-X-ENDLIST" in lines)


def read_master(text: str) -> list[Variant]:
    """The variants of a master playlist (RFC 8216 §4.3.4.2), in its order."""
    found = re.findall(r"#EXT-X-STREAM-INF:(.+)\n([^#\s]+)", text)
    return [Variant(uri, _attribute(line, "CODECS"), int(_attribute(line, "AVERAGE-BANDWIDTH") or 0)) for line, uri in found]


def _attribute(line: str, name: str) -> str:
    found = re.search(rf'(?:^|,){name}=(?:"([^"]*)"|([^,]*))', line)
    return (found.group(1) or found.group(2) or "") if found else ""


def check(folder: Path, renditions: Sequence[Rendition], *, sound: bool) -> dict[str, Playlist]:
    """The playlists by rendition name, after seeing that they agree: complete, same cuts, no file missing or empty.

    Raises TransientError: a package that contradicts itself is the packager's fault or the disk's, not the source's.
    """
    names = [rendition.size.name for rendition in renditions] + ([AUDIO] if sound else [])
    playlists = {name: read_playlist((folder / name / PLAYLIST).read_text(encoding="utf-8")) for name in names}
    listed = [variant.uri for variant in read_master((folder / MASTER).read_text(encoding="utf-8"))]
    if sorted(listed) != sorted(f"{rendition.size.name}/{PLAYLIST}" for rendition in renditions):
        raise _contradiction(f"{MASTER} lists {', '.join(listed) or 'nothing'}")
    for name, playlist in playlists.items():
        if not playlist.complete or len(playlist.files) != len(playlist.seconds) + 1:
            raise _contradiction(f"{name}/{PLAYLIST} is not complete")
        for file in playlist.files:
            path = folder / name / file
            if not path.is_file() or path.stat().st_size == 0:
                raise _contradiction(f"{name}/{file} is missing or empty")
    if len({playlists[rendition.size.name].seconds for rendition in renditions}) > 1:
        raise _contradiction("the renditions are cut at different times")
    return playlists


def _contradiction(what: str) -> TransientError:
    return TransientError(f"the HLS package contradicts itself: {what}", type="package-inconsistent")
