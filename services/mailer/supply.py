"""The mails of a batch that are still to go: fresh ones, those that came back, and those that were put off.

Fresh ones are made a few ahead, when there is nothing better to do (see `Sender`). A mail that was made a while ago is looked at again
before it goes: its recipient may have unsubscribed meanwhile.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator

from services.mailer.mails import Mail

ROOM = 1 << 20
"""Bytes of mails made ahead, beyond which no other is: those with attachments are made when they go."""


def _anybody(_mail: Mail) -> bool:
    return True


class Supply:
    """`mails` is read as connections become free, so it may render lazily; `wanted` has the last word on each, when it is to go."""

    def __init__(self, mails: Iterator[Mail] | None = None, wanted: Callable[[Mail], bool] = _anybody) -> None:
        """Nothing is read yet."""
        self.mails = mails or iter(())
        self._wanted = wanted
        self._made: deque[Mail] = deque()
        self._returned: deque[Mail] = deque()
        self._later: list[tuple[float, str, Mail]] = []
        self._aside: list[float] = []
        self.exhausted = False
        """No fresh one is left; as far as somebody asked."""

    def take(self) -> Mail | None:
        """A mail that can go now: a returned one, one that is due, or a fresh one."""
        if self._returned:
            return self._returned.popleft()
        if self._later and self._later[0][0] <= time.time():
            return heapq.heappop(self._later)[2]
        while (mail := self._made.popleft() if self._made else next(self.mails, None)) is not None:
            if self._wanted(mail):
                return mail
        self.exhausted = True
        return None

    def make(self, most: int) -> bool:
        """Have one more fresh one ready; False: there is none, or `most` are, or as many as memory is spared for.

        Raises what making it raises.
        """
        if len(self._made) >= most or sum(len(mail.stuffed) for mail in self._made) >= ROOM:
            return False
        mail = next(self.mails, None)
        if mail is not None:
            self._made.append(mail)
        return mail is not None

    def give_back(self, *mails: Mail | None) -> None:
        """They were not offered, and go before any fresh one."""
        self._returned.extend(mail for mail in mails if mail is not None)

    def give_back_first(self, mail: Mail) -> None:
        """It goes before all others."""
        self._returned.appendleft(mail)

    def put_off(self, mail: Mail, due: float) -> None:
        """It goes when it is due (Unix seconds)."""
        heapq.heappush(self._later, (due, mail.key, mail))

    def set_aside(self, due: float) -> None:
        """A recipient who is due later than this run will last, as an earlier one noted."""
        self._aside.append(due)

    @property
    def came_back(self) -> bool:
        """Does one wait that came back?"""
        return bool(self._returned)

    @property
    def next_due(self) -> float | None:
        """When the first of those that were put off is due; None: none was."""
        return self._later[0][0] if self._later else None

    @property
    def dues(self) -> list[float]:
        """When those are due who are put off or set aside."""
        return [*self._aside, *(due for due, _, _ in self._later)]
