"""HLS playlists, read again to see that they agree with each other and with the files (RFC 8216)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from services.transcoder.outputs import MASTER
from shared.errors import TransientError

PLAYLIST = "playlist.m3u8"
IFRAMES = "iframes.m3u8"


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist: its files in order (relative to its folder, the initialisation first) and its segments' seconds."""

    files: tuple[str, ...]
    seconds: tuple[float, ...]
    complete: bool
    method: str = ""
    """How it says that its segments are encrypted; "" for not at all."""

    @property
    def duration(self) -> float:
        """Of all segments, in seconds."""
        return math.fsum(self.seconds)

    @property
    def segments(self) -> tuple[str, ...]:
        """Its files without the initialisation."""
        return self.files[len(self.files) - len(self.seconds) :]


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
    method = re.search(r"#EXT-X-KEY:METHOD=([A-Z0-9-]+)", text)
    return Playlist((*map(unquote, start), *map(unquote, segments)), seconds, "#EXT-X-ENDLIST" in lines, method.group(1) if method else "")


def read_master(text: str) -> list[Variant]:
    """The variants of a master playlist (RFC 8216 §4.3.4.2), in its order."""
    found = re.findall(r"#EXT-X-STREAM-INF:(.+)\n([^#\s]+)", text)
    return [Variant(uri, _attribute(line, "CODECS"), int(_attribute(line, "AVERAGE-BANDWIDTH") or 0)) for line, uri in found]


def _attribute(line: str, name: str) -> str:
    found = re.search(rf'(?:^|,){name}=(?:"([^"]*)"|([^,]*))', line)
    return (found.group(1) or found.group(2) or "") if found else ""


def check(folder: Path, pictures: Sequence[str], beside: Sequence[str]) -> dict[str, Playlist]:
    """The playlists of all tracks by name, after seeing that they agree: complete, no file missing or empty, `pictures` cut alike.

    Raises TransientError: a package that contradicts itself is the packager's fault or the disk's, not the source's.
    """
    playlists = {name: read_playlist((folder / name / PLAYLIST).read_text(encoding="utf-8")) for name in (*pictures, *beside)}
    listed = [variant.uri for variant in read_master((folder / MASTER).read_text(encoding="utf-8"))]
    if {*listed} != {f"{name}/{PLAYLIST}" for name in pictures}:
        raise contradiction(f"{MASTER} lists {', '.join(listed) or 'nothing'}")
    for name, playlist in playlists.items():
        if not playlist.complete or not playlist.seconds or len(playlist.files) < len(playlist.seconds):
            raise contradiction(f"{name}/{PLAYLIST} is not complete")
        for file in playlist.files:
            path = folder / name / file
            if not path.is_file() or path.stat().st_size == 0:
                raise contradiction(f"{name}/{file} is missing or empty")
    if len({playlists[name].seconds for name in pictures}) > 1:
        raise contradiction("the renditions are cut at different times")
    return playlists


def contradiction(what: str) -> TransientError:
    """The error for a package that is not what was planned."""
    return TransientError(f"the package contradicts itself: {what}", type="package-inconsistent")
