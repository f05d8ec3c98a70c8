"""The names of things in a job's scratch folder, and what a rendition is. Pure data."""

from dataclasses import dataclass

from services.transcoder.ladder import Size

SOURCE = "source"
SOUND = "audio.m4a"
POSTER = "poster.jpg"
PACKAGE = "hls"
MASTER = "master.m3u8"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One encoded picture size, in one file; `sound` says whether the file also carries the sound."""

    size: Size
    file: str
    sound: bool
