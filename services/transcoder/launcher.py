"""Run as a script between the worker and FFmpeg: sets the limits, puts up the sandbox, then becomes FFmpeg.

Limits belong to the process they limit, and the safe place to set them is a fresh process: `preexec_fn` runs Python between
fork and exec, which deadlocks where the parent has threads (the telemetry exporter is one). This costs about 20 ms a start.

It is started as `python -I -S launcher.py SPEC PROGRAM ARGUMENT…`; SPEC is JSON: `parent` (the pid that must outlive us),
`nice`, `limits` (resource name → soft limit), `fence` (what may be read, run and worked on; null: no fence) and `hush` (whether
system calls are filtered). Of this project it imports the two modules that do this, which import nothing else of it. It fails closed: where
a part of the sandbox cannot be put up, nothing is started.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when the thread that made it dies. Linux only; it survives an exec."""


def die_with(parent: int) -> None:
    """Be SIGKILLed when the worker's child dies, even by SIGKILL, so that no FFmpeg is left working for nobody."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


def limit(limits: dict[str, int]) -> None:
    """Lower soft and hard limits to those given. CPU gets two more seconds until the hard one, which is a SIGKILL."""
    for name, wanted in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, ceiling = resource.getrlimit(number)
        hard = wanted + 2 if name == "cpu" else wanted
        if ceiling != resource.RLIM_INFINITY:
            wanted, hard = min(wanted, ceiling), min(hard, ceiling)  # noqa: PLW2901 - a limit can only be lowered
        with contextlib.suppress(OSError, ValueError):  # macOS has no RLIMIT_AS to speak of
            resource.setrlimit(number, (wanted, hard))


def enclose(fence: dict[str, list[str]] | None, *, hush: bool) -> None:
    """Put up what the spec asks for. Raises OSError where the kernel refuses."""
    sys.path.insert(0, os.path.abspath(f"{os.path.dirname(__file__)}/../.."))  # noqa: PTH100, PTH120 - pathlib would double the start-up time
    from services.transcoder import landlock, seccomp  # noqa: PLC0415 - only now can they be found

    if fence is not None:
        landlock.fence(fence["read"], fence["run"], fence["work"])
    if hush:
        seccomp.hush()


def main() -> None:
    """Become the program."""
    spec = json.loads(sys.argv[1])
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # Python ignores the first two, a pool child the third, and an exec would pass that on
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
        sys.exit(f"cannot start {os.path.basename(sys.argv[2])}: {error.strerror}")  # noqa: PTH119 - as above


if __name__ == "__main__":
    main()
