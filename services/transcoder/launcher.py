"""Runs between the worker and FFmpeg: sets the limits, puts up the sandbox, then becomes FFmpeg.

Limits belong to the process they limit, and the safe place to set them is a fresh process: `preexec_fn` runs Python between
fork and exec, which deadlocks where the parent has threads (the telemetry exporter is one).

A film takes twenty programs, so the start counts: 15 ms, of which an empty interpreter takes 10. It was 30 with `json` (which imports
`re`), `signal`, `contextlib`, `platform` and `collections.abc`, and as a script, which is compiled each time.

It is started as `python -I -S -c BOOT FOLDER SPEC PROGRAM ARGUMENT…`; SPEC is hexadecimal `marshal` of `parent` (the pid that must
outlive us), `nice`, `limits` (resource name → soft limit), `fence` (what may be read, run and worked on; None: no fence) and `hush`
(whether system calls are filtered). Of this project it imports the two modules that do this, which import nothing else of it. It fails
closed: where a part of the sandbox cannot be put up, nothing is started.
"""

import ctypes
import marshal
import os
import resource
import sys

from services.transcoder import landlock, seccomp

BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from services.transcoder.launcher import main; main()"
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when the thread that made it dies. Linux only; it survives an exec."""
SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ = 2, 9, 13, 15, 25
"""The same numbers on Linux and macOS."""


def die_with(parent: int) -> None:
    """Be SIGKILLed when the worker's child dies, even by SIGKILL, so that no FFmpeg is left working for nobody."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


def heed_signals() -> None:
    """Python ignores the first two, a pool child the third, and an exec would pass that on."""
    libc = ctypes.CDLL(None)
    for number in (SIGPIPE, SIGXFSZ, SIGINT, SIGTERM):
        libc.signal(number, None)  # SIG_DFL


def limit(limits: dict[str, int]) -> None:
    """Lower soft and hard limits to those given. CPU gets two more seconds until the hard one, which is a SIGKILL."""
    for name, wanted in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, ceiling = resource.getrlimit(number)
        hard = wanted + 2 if name == "cpu" else wanted
        if ceiling != resource.RLIM_INFINITY:
            wanted, hard = min(wanted, ceiling), min(hard, ceiling)  # noqa: PLW2901 - a limit can only be lowered
        try:
            resource.setrlimit(number, (wanted, hard))
        except (OSError, ValueError):  # macOS has no RLIMIT_AS to speak of
            continue


def enclose(fence: dict[str, list[str]] | None, *, hush: bool) -> None:
    """Put up what the spec asks for. Raises OSError where the kernel refuses."""
    if fence is not None:
        landlock.fence(fence["read"], fence["run"], fence["work"])
    if hush:
        seccomp.hush()


def main() -> None:
    """Become the program."""
    spec = marshal.loads(bytes.fromhex(sys.argv[1]))  # noqa: S302 - our own worker wrote it
    heed_signals()
    die_with(spec["parent"])
    os.nice(spec["nice"])
    try:
        enclose(spec["fence"], hush=spec["hush"])
    except OSError as error:
        sys.exit(f"the sandbox cannot be put up: {error.strerror}")
    limit(spec["limits"])
    try:
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a path that binary.py chose; no shell
    except OSError as error:
        sys.exit(f"cannot start {os.path.basename(sys.argv[2])}: {error.strerror}")  # noqa: PTH119 - pathlib would double the start-up time
