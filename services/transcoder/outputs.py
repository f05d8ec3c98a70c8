"""The names of things in a job's scratch folder, and what a rendition is. Pure data."""

from dataclasses import dataclass

from services.transcoder.hardware import Kind
from services.transcoder.ladder import Size

SOURCE = "source"
SOUND = "audio.m4a"
POSTER = "poster.jpg"
PACKAGE = "hls"
MASTER = "master.m3u8"
PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One encoding of the pictures, in one file; `sound` says whether the file also carries the sound.

    `crf` and `cap` (bits a second) are None for the codec's own. With `rate` there is no constant quality: it takes so many bits a second
    on average, in two passes or in one.
    """

    size: Size
    file: str
    sound: bool
    codec: str = "h264"
    crf: int | None = None
    cap: int | None = None
    rate: int | None = None
    two_pass: bool = False
    encoder: Kind | None = None
    """The hardware that encodes it; None for software."""

    @property
    def unsettled(self) -> bool:
        """Whether the request left its quality to us."""
        return self.crf is None and self.rate is None

    @property
    def container(self) -> str:
        """By the file's name: mp4 or webm."""
        return self.file.rpartition(".")[2]

    def part(self, number: int) -> str:
        """The file of this rendition's part `number`: MP4 holds every codec, and exact times."""
        return f"part-{number:05}-{self.file}" + ("" if self.container == "mp4" else ".mp4")

    def statistics(self, number: int) -> str:
        """Where the first pass over a part notes what the second one reads."""
        return f"pass-{self.part(number)}"

    @property
    def list(self) -> str:
        """The file that names this rendition's parts for FFmpeg's concat demuxer."""
        return f"{self.file}.txt"
