"""What a pool child does to be a good child: it dies with its parent, and looks up when nudged.

A child that outlived its SIGKILLed parent would go on mailing while another worker has the job already: nobody renews its
lease. Linux sends SIGKILL on the parent's death (prctl(2), PR_SET_PDEATHSIG); elsewhere a thread watches the parent's pid.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
_nudge = threading.Event()


def die_with_parent() -> None:
    """SIGKILL this process when its parent dies, however it dies."""
    parent = os.getppid()
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0:
        if os.getppid() != parent:  # it died before the call
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def listen_for_nudges() -> None:
    """SIGUSR2 from the parent means: look at the ledger at the next checkpoint (a cancel, or a lost lease)."""
    signal.signal(signal.SIGUSR2, lambda _signum, _frame: _nudge.set())


def nudged() -> bool:
    """True once after each nudge."""
    if _nudge.is_set():
        _nudge.clear()
        return True
    return False
