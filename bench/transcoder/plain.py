"""One plain FFmpeg on one core: the same sizes and settings from one decode, sound included, nothing checked, packaged or stored."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from services.transcoder.binary import tools
from services.transcoder.commands import encode
from services.transcoder.film import Film
from services.transcoder.outputs import SOURCE
from services.transcoder.plan import make
from services.transcoder.probe import probe
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder import Clip, Transcode


@dataclass(frozen=True, slots=True)
class Turn:
    """One film by one of the contestants. Seconds of wall clock and of all processes' CPU; resident bytes of the hungriest worker."""

    wall: float
    cpu: float
    memory: int
    best: Path
    """Its largest output, to be looked at."""


def run(source: Path, preset: str, folder: Path, core: int) -> Turn:
    """Encode it."""
    folder.mkdir(parents=True)
    (folder / SOURCE).symlink_to(source)
    settings = TranscoderSettings(home=folder)
    found = probe(folder / SOURCE, tools(), settings, cwd=folder, checkpoint=lambda: None)
    plan = make(Transcode.model_validate({"source": "upl_12345678", "preset": preset}), found, None, settings, 1)
    assert found.video is not None  # noqa: S101 - our own film
    arguments = encode(Film(found.video, Clip(), plan.renditions[0].size), None, plan.renditions, settings, threads=1)
    arguments += ["-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "mp4", "file:audio.m4a"]
    command = ["taskset", "-c", str(core), "nice", "-n", str(settings.nice), str(tools().ffmpeg.path), *arguments]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None  # noqa: S101 - it was asked for
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        raise RuntimeError(f"the plain FFmpeg failed: {said.decode(errors='replace')[-1_000:]}")
    wall = time.monotonic() - began
    return Turn(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, folder / plan.renditions[0].part(0))
