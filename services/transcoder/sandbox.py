"""How well a program is shut in: the strongest level that this kernel has, up to the one set; below the one demanded, nothing starts.

`limits`: CPU, memory, file size, open files; a process group and an environment of its own. Anywhere.
`files`: and Landlock: it reads its own folder, the inputs linked there and the system's libraries, writes in its folder alone.
`full`: and a system call filter: no socket, no other process.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from services.transcoder import landlock, seccomp
from services.transcoder.settings import SandboxLevel, TranscoderSettings, settings
from shared.errors import SettingsError

LEVELS: tuple[SandboxLevel, ...] = get_args(SandboxLevel)
"""Weakest first."""
LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/fontconfig", "/etc/fonts")
KERNEL = ("/dev/urandom", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node")
"""What codecs ask about the machine. Not /proc itself: /proc/PID/environ holds the worker's passwords."""

MISSING: Mapping[SandboxLevel, str] = MappingProxyType(
    {"limits": "files and network are not fenced off", "files": "of the network, only TCP is fenced off, by Landlock from version 4 on"}
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The sandbox of this process's programs; `extra` are paths that they may use besides (a hardware encoder's devices)."""

    level: SandboxLevel
    extra: tuple[str, ...] = ()

    def spec(self, program: str, folder: Path) -> Mapping[str, Any]:
        """For the launcher. Whoever links a file into `folder` gives it to the program to read; programs can make no links themselves."""
        if self.level == "limits":
            return {"fence": None, "hush": False}
        inputs = [str(entry.resolve()) for entry in sorted(folder.iterdir()) if entry.is_symlink()]
        fence = {
            "read": [*inputs, *FONTS, *KERNEL],
            "run": [os.path.realpath(program), *LIBRARIES],
            "work": [str(folder.resolve()), "/dev/null", *self.extra],
        }
        return {"fence": fence, "hush": self.level == "full"}


def strongest() -> SandboxLevel:
    """What this machine can do."""
    if sys.platform != "linux" or not landlock.version():
        return "limits"
    return "full" if seccomp.available() else "files"


def choose(given: TranscoderSettings) -> Sandbox:
    """The sandbox for these settings. Raises SettingsError where it would be weaker than demanded."""
    level = min(given.sandbox, strongest(), key=LEVELS.index)
    if LEVELS.index(level) < LEVELS.index(given.sandbox_demanded):
        raise SettingsError(
            f"TRANSCODER_SANDBOX_DEMANDED is {given.sandbox_demanded!r}, but only {level!r} can be had here (Landlock version "
            f"{landlock.version()}, TRANSCODER_SANDBOX {given.sandbox!r}). Linux 5.13 or newer with Landlock switched on is needed, "
            "and a container runtime whose seccomp profile lets it through; or demand less."
        )
    return Sandbox(level, tuple(path for path in given.sandbox_paths.split(":") if path))


@cache
def sandbox() -> Sandbox:
    """This process's, chosen once. Raises SettingsError."""
    return choose(settings())


def describe() -> Mapping[str, Any]:
    """For `GET /v1/services`: the level, what it is made of, and what it is not."""
    chosen = sandbox()
    landlocked = landlock.version() if chosen.level != "limits" else 0
    described: dict[str, Any] = {"level": chosen.level, "landlock": landlocked, "seccomp": chosen.level == "full"}
    return described | ({"missing": MISSING[chosen.level]} if chosen.level in MISSING else {})
