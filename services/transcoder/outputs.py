"""The names of things in a job's scratch folder, and what a rendition is. Pure data."""

from dataclasses import dataclass

from services.transcoder.ladder import Size

SOURCE = "source"
SOUND = "audio.m4a"
POSTER = "poster.jpg"
PACKAGE = "hls"
MASTER = "master.m3u8"
PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One encoded picture size, in one file; `sound` says whether the file also carries the sound."""

    size: Size
    file: str
    sound: bool

    def part(self, number: int) -> str:
        """The file of this rendition's part `number`."""
        return f"part-{number:05}-{self.file}"

    @property
    def list(self) -> str:
        """The file that names this rendition's parts for FFmpeg's concat demuxer."""
        return f"{self.file}.txt"
