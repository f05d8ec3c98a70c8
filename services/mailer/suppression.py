"""Whom the tenant does not mail: looked up in groups when they are read, and again right before a mail goes out.

A batch may last for hours (a paced one does), and who unsubscribes meanwhile is not to be mailed by its second half. So an answer
of the ledger is good for `FRESH` seconds only; then one round trip asks anew for all those who are next.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.mailer import Suppression
from shared.job import Register
from shared.mailboxes import folded

FRESH = 2.0
"""Seconds that an answer is good for."""
GROUP = 250
"""Addresses in one round trip."""
OF_LISTS = "unsubscribed"
"""The reason that is about newsletters: what a recipient asked for themselves is sent all the same."""


class Lookout:
    """Asks the register of suppressions about the addresses of a batch. `transactional`: those who unsubscribed are mailed."""

    def __init__(self, register: Register, *, transactional: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody was asked about yet."""
        self._register = register
        self._transactional = transactional
        self._clock = clock
        self._next: set[str] = set()
        self._listed: dict[str, str] = {}
        self._looked = 0.0

    def expect(self, addresses: Iterable[str]) -> None:
        """These are next: one round trip for all of them and those who were announced and not asked about since."""
        self._next.update(map(folded, addresses))
        self._look()

    def known(self, address: str) -> str:
        """As `why`, by what the last look said."""
        return self._listed.get(folded(address), "")

    def why(self, address: str) -> str:
        """Why an announced address is not to be mailed, in words for people; '' where it may be. Asked once for each, last thing."""
        if self._clock() - self._looked > FRESH:
            self._look()
        self._next.discard(folded(address))
        return self.known(address)

    def _look(self) -> None:
        self._looked = self._clock()
        found = self._register.find(sorted(self._next))
        self._listed = {key: words for key, fact in found.items() if (words := self._words(fact))}

    def _words(self, fact: Any) -> str:
        known = Suppression.model_validate(fact)
        if self._transactional and known.reason == OF_LISTS:
            return ""
        day = time.strftime("%Y-%m-%d", time.gmtime(known.at / 1000))
        return f"{known.reason} on {day}" + (f", {known.mailing}" if known.mailing else "") + (f": {known.note}" if known.note else "")
