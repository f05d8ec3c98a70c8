"""One hostile source, given to the real service; what it did, and what it must not have done."""

import os
import resource
import shutil
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from services.transcoder.settings import TranscoderSettings
from shared.errors import JobError
from tests.hostile.canaries import Canaries
from tests.hostile.inputs import Input
from tests.integration.transcoder_media import do, job_for

SETTINGS = TranscoderSettings(stall_seconds=20.0, max_duration=60.0, max_output_bytes=50_000_000, spare_bytes=0, nice=0)
"""As it comes, but for limits that make a run of a thousand end today."""
TOO_LONG = 90.0
"""Seconds after which an input counts as one that hangs the service, on a busy machine."""
LONG_SENTENCE = 2_500
PLAYABLE = (".mp4", ".m3u8", ".m4s", ".m4a")
"""A failed job may leave its plan and its poster; never what passes for its film."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one source ended: `outcome` is "accepted" or the error's type; `faults` are what must not be."""

    family: str
    name: str
    outcome: str
    detail: str
    seconds: float
    peak: int
    """Bytes of memory that the hungriest program took, as far as it was seen."""
    faults: tuple[str, ...] = ()


@dataclass
class Tally:
    """Over a run."""

    verdicts: list[Verdict] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    peak: int = 0
    """Bytes of memory that the worker took at most, its inputs included."""

    def add(self, verdict: Verdict) -> None:
        """Keep it, and how large this process is by now."""
        self.verdicts.append(verdict)
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many of each family ended how."""
        return Counter((verdict.family, verdict.outcome) for verdict in self.verdicts)

    @property
    def faulty(self) -> list[Verdict]:
        """Those that did what they must not."""
        return [verdict for verdict in self.verdicts if verdict.faults]

    @property
    def hungriest(self) -> int:
        """Bytes of memory that the hungriest program of the service took at most."""
        return max((each.peak for each in self.verdicts), default=0)


class Scales:
    """Weighs the programs that this process runs, twenty times a second: the kernel's own figure has those that made the inputs in it."""

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._weigh, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _weigh(self) -> None:
        while not self._over.wait(0.05):
            with suppress(OSError, ValueError):  # it ended while we looked
                pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
                pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
                self.peak = max(self.peak, max(pages, default=0) * resource.getpagesize())


def attempt(given: Input, folder: Path, canaries: Canaries, preset: str = "mp4-480p") -> Verdict:
    """Transcode it as any job, then look around."""
    (source := folder / "upload").write_bytes(given.content)
    before, open_files = set(psutil.Process().children(recursive=True)), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - what the kernel lists
    canaries.opened(), canaries.called()
    job, faults, outcome, detail, began = job_for(source, folder), list[str](), "accepted", "", time.monotonic()
    try:
        with Scales() as scales:
            do(job, SETTINGS, preset=preset)
    except JobError as error:
        outcome, detail = error.type, error.detail
        faults += [f"tried again: {error.detail}"] if error.retryable else []
        faults += ["no field is named"] if error.pointer is None else []
        faults += ["the sentence names a folder of ours"] if str(folder) in detail or str(canaries.film) in detail else []
        faults += ["the sentence is empty or endless"] if not 10 < len(detail) < LONG_SENTENCE else []
        faults += ["an output was published all the same"] if any(name.endswith(PLAYABLE) for name in job.artifacts) else []
    except Exception as error:  # noqa: BLE001 - anything else is what we are looking for
        outcome, detail = f"crashed: {type(error).__name__}", str(error)
        faults.append(f"{outcome}: {error}")
    seconds = time.monotonic() - began
    faults += [f"took {seconds:.0f} s"] if seconds > TOO_LONG else []
    faults += ["left a process"] if set(psutil.Process().children(recursive=True)) - before else []
    faults += ["left a file"] if any(job.workdir.iterdir()) else []
    faults += ["left an open file"] if len(os.listdir("/proc/self/fd")) > open_files else []  # noqa: PTH208 - as above
    faults += ["opened somebody else's file"] if canaries.opened() else []
    faults += ["called an address"] if canaries.called() else []
    shutil.rmtree(job.root)
    source.unlink()
    return Verdict(given.family, given.name, outcome, detail, seconds, scales.peak, tuple(faults))
