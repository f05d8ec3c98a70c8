"""Whether the broker is away: told by the parent's consumer, asked by its pool children, through one byte of shared memory.

A child that is done with its job goes on with the ledger's next one while there is nobody to ring (`shared.runtime.attempt`): a broker
that restarts takes seconds, and a rescued job has waited for its lease already.
"""

import mmap


class Away:
    """Made before the children are forked; every one of them sees what the parent writes."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)
        self._closed = False

    def note(self, away: bool) -> None:
        """The connection was lost, or is there."""
        self._page[0] = away and not self._closed

    def close(self) -> None:
        """The worker is leaving: from now on no child takes another job by itself."""
        self._closed = True
        self._page[0] = 0

    def __bool__(self) -> bool:
        """True while nothing can come from the broker."""
        return bool(self._page[0])
