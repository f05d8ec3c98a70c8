"""Never faster than: a minimum gap between the starts of two mails."""

import asyncio


class Pace:
    """Hands out slots at least `1 / per_second` apart, without a burst after a pause. None: as fast as it goes."""

    def __init__(self, per_second: float | None) -> None:
        """The first slot is one gap away, so that a batch started again does not break the promise."""
        self._gap = 1.0 / per_second if per_second else 0.0
        self._next: float | None = None
        self._turn = asyncio.Lock()

    @property
    def paces(self) -> bool:
        """Is there any gap?"""
        return bool(self._gap)

    async def slot(self) -> None:
        """Wait for the next slot; each caller gets one of its own."""
        if not self._gap:
            return
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._next is None:
                self._next = loop.time() + self._gap
            # A timer may fire early by the clock's resolution, so look again.
            while (wait := self._next - loop.time()) > 0:  # noqa: ASYNC110 - time is what we wait for, not an event
                await asyncio.sleep(wait)
            self._next = loop.time() + self._gap
