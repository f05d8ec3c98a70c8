"""Which of a worker's processes have loaded what their jobs would otherwise wait for.

A child learns that, its parent tells the world. Between them lies a page of memory that is shared because it was there before the fork; a
child that is gone needs no clearing up, for the parent only asks about those that it has.
"""

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import pack_into, unpack_from

_PLACES = 16_384
"""Each process writes at the place of its id, so that none waits for another; children of one worker are never so many ids apart."""
_WIDTH = 4


@dataclass(frozen=True, slots=True)
class Warmth:
    """Made before the fork."""

    _page: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, _PLACES * _WIDTH))

    def tell(self) -> None:
        """This process is warm."""
        pid = os.getpid()
        pack_into("=I", self._page, pid % _PLACES * _WIDTH, pid)

    def count(self, pids: Iterable[int]) -> int:
        """How many of these processes are."""
        return sum(unpack_from("=I", self._page, pid % _PLACES * _WIDTH)[0] == pid for pid in pids)
