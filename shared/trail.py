"""Which span a process was in when it died: a page of shared memory, written by pool children, read by their parent.

A dead child's spans are lost, for a span is exported when it ends. The page is made before the fork; each child has a slot by
its pid, with the pid in it, so that two children that share one make the answer unknown and never wrong.
"""

import mmap
import os
import struct

SLOTS = 1_024
_SLOT = struct.Struct("<I60p")
"""The pid, and up to 59 bytes of the span's name."""
_page: mmap.mmap | None = None
_current = ""


def begin() -> None:
    """Make the page: in the parent, before its children are forked. Elsewhere (the gateway) nothing is noted."""
    global _page  # noqa: PLW0603 - one page per family of processes
    if _page is None:
        _page = mmap.mmap(-1, SLOTS * _SLOT.size)


def note(name: str) -> str:
    """This process is now in the span `name`; returns the one it was in, to be noted again at the end of this one."""
    global _current
    if _page is None:
        return ""
    before, _current = _current, name
    pid = os.getpid()
    _SLOT.pack_into(_page, pid % SLOTS * _SLOT.size, pid, name.encode())
    return before


def last(pid: int) -> str:
    """The innermost span that the process `pid` was in; '' where it was in none or that is not known."""
    if _page is None:
        return ""
    owner, name = _SLOT.unpack_from(_page, pid % SLOTS * _SLOT.size)
    return str(name, "utf-8", "replace") if owner == pid else ""
