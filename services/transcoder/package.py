"""One CMAF set from the encoded files, by Shaka Packager: HLS and DASH over the same segments. Pure.

Shaka Packager 3.8.0 knows AES-128 for HLS too, but writes fMP4 segments that each hold all those before it: seal.py does that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.transcoder.outputs import MASTER, Rendition
from services.transcoder.playlists import IFRAMES, PLAYLIST

SEGMENT_SECONDS = 6
AUDIO = "audio"
TEXT = "text"
MANIFEST = "manifest.mpd"
SMALL_CACHE = ("--io_cache_size", str(64 * 1024))
"""Bytes before every file that it opens. It would take 32 MiB, and clear them first: half a second of CPU time a minute of film. Without
any it hangs for ever over pictures of one segment that have no sound beside them (Shaka Packager 3.8.0).
"""
UNKNOWN = "und"
"""BCP 47's tag for a language that nobody named. The packager does not know it, and gets none instead."""
NOBODY = "zxx"
"""BCP 47's tag for "no language": no track has it, so that no subtitle is on unasked."""

Scheme = Literal["aes-128", "cbcs", "cenc"]


@dataclass(frozen=True, slots=True)
class Track:
    """A sound or a text beside the pictures. `name` is its folder, `label` what the viewer reads, `language` a BCP 47 tag."""

    file: str
    name: str
    label: str
    language: str = UNKNOWN


@dataclass(frozen=True, slots=True)
class Package:
    """What goes into one folder. The first sound is played unless the viewer chooses another.

    Texts in the language `shown` are on unless the viewer turns them off.
    """

    folder: str
    renditions: tuple[Rendition, ...]
    sounds: tuple[Track, ...] = ()
    texts: tuple[Track, ...] = ()
    shown: str | None = None
    hls: bool = True
    dash: bool = False
    scheme: Scheme | None = None

    @property
    def pictures(self) -> list[str]:
        """The folders of the renditions."""
        return [rendition.size.name for rendition in self.renditions]

    @property
    def sounding(self) -> list[str]:
        """The folders of the sounds."""
        return [track.name for track in self.sounds]

    @property
    def written(self) -> list[str]:
        """The folders of the texts, which are never encrypted."""
        return [track.name for track in self.texts]

    @property
    def skims(self) -> bool:
        """Whether there are playlists of keyframes alone: not over segments that are encrypted whole, of which no part can be read."""
        return self.hls and self.scheme != "aes-128"


def arguments(package: Package, *, flags: str | None = None) -> list[str]:
    """The packager's arguments. Segments begin at keyframes, which lie at the same times in every rendition.

    `flags` is a file of more options: keys are handed over in it, for anybody may read a command line.
    """
    folder = package.folder
    streams = [_picture(rendition, package) for rendition in package.renditions]
    streams += [f"{_stream(track, 'audio', folder)},hls_group_id={AUDIO}" for track in package.sounds]
    streams += [f"{_stream(track, 'text', folder)},hls_group_id={TEXT}" for track in package.texts]
    arguments = [
        "--quiet",
        *SMALL_CACHE,
        *streams,
        "--segment_duration",
        str(SEGMENT_SECONDS),
        "--hls_master_playlist_output",
        f"{folder}/{MASTER}",
    ]
    if package.dash:
        arguments += ["--mpd_output", f"{folder}/{MANIFEST}", "--generate_static_live_mpd"]
    if package.sounds and package.sounds[0].language != UNKNOWN:
        arguments += ["--default_language", package.sounds[0].language]
    if package.texts:
        arguments += ["--default_text_language", package.shown or NOBODY]
    if package.scheme in ("cbcs", "cenc") and flags:
        arguments += ["--enable_raw_key_encryption", "--protection_scheme", package.scheme, "--clear_lead", "0", f"--flagfile={flags}"]
    return arguments


def _picture(rendition: Rendition, package: Package) -> str:
    name = rendition.size.name
    skim = [f"iframe_playlist_name={name}/{IFRAMES}"] if package.skims else []
    return _joined([f"in={rendition.file}", "stream=video", *_files(package.folder, name, "m4s"), *skim])


def _stream(track: Track, kind: Literal["audio", "text"], folder: str) -> str:
    suffix: Literal["vtt", "m4s"] = "vtt" if kind == "text" else "m4s"
    label = [f"hls_name={track.label}", f"dash_label={track.label}"]
    label += [f"language={track.language}"] if track.language != UNKNOWN else []
    return _joined([f"in={track.file}", f"stream={kind}", *_files(folder, track.name, suffix), *label])


def _files(folder: str, name: str, suffix: Literal["m4s", "vtt"]) -> list[str]:
    start = [f"init_segment={folder}/{name}/init.mp4"] if suffix == "m4s" else []
    return [*start, f"segment_template={folder}/{name}/seg_$Number%05d$.{suffix}", f"playlist_name={name}/{PLAYLIST}"]


def _joined(fields: Sequence[str]) -> str:
    """A stream descriptor. Its fields cannot hold commas; the contract lets no label have one."""
    return ",".join(fields)
