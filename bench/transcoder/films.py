"""The films: a real one, as often as it takes, and a synthetic one with grain, which no encoder finds easy."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from services.transcoder.binary import tools

SAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "samples" / "bigbuckbunny.mp4"
PREPARE = (
    *("-c:v", "libx264", "-preset", "superfast", "-b:v", "20M", "-maxrate", "30M", "-bufsize", "40M", "-g", "60", "-pix_fmt", "yuv420p"),
    *("-c:a", "aac"),
)
"""As much as cameras write. By quality alone the grain would take 300 Mbit/s, and the bench would time the decoder and the disk."""


def bunny(folder: Path, seconds: float) -> Path:
    """Big Buck Bunny, 720p at 25 frames a second: five seconds, over and over."""
    return _make(folder / f"bunny-{seconds:g}.mp4", ["-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(seconds), "-c", "copy"])


def synthetic(folder: Path, seconds: float) -> Path:
    """A test picture of 1080p at 30 frames a second and 20 Mbit/s, moving, with grain, and a tone."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=1920x1080:rate=30:duration={seconds},noise=alls=12:allf=t"]
    return _make(folder / f"synthetic-{seconds:g}.mp4", [*picture, "-f", "lavfi", "-i", f"sine=440:duration={seconds}", *PREPARE])


FILMS: Mapping[str, Callable[[Path, float], Path]] = {"bunny": bunny, "synthetic": synthetic}


def _make(path: Path, arguments: list[str]) -> Path:
    if not path.exists():
        command = [str(tools().ffmpeg.path), "-nostdin", "-y", "-v", "error", *arguments, "-f", "mp4", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path
