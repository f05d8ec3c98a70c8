"""`python launch.py PARENT_PID COMMAND…`: becomes COMMAND, which the kernel then ends (SIGTERM) when its parent dies.

Linux only (prctl(2), PR_SET_PDEATHSIG; the setting survives execve); elsewhere the guard alone sees to it. A small program of
its own rather than a `preexec_fn`, which may deadlock where the parent has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel, check that the parent did not die before it was asked, and become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(sys.argv[1]):
            raise SystemExit(143)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
