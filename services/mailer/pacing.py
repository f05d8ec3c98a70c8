"""Never faster than: each mail waits for a slot under all of its rates, which every process of the service asks the ledger for.

The connections of a batch ask in groups. An urgent mailing's slots are reserved further ahead than bulk may look, so that bulk, which finds
no room, lets it pass: it waits for a quarter of a second behind bulk at most, and the rates hold all the same.
"""

import asyncio
import time
from collections.abc import Sequence

from services.mailer.hearing import heard
from services.mailer.settings import MailerSettings, Relay
from shared.errors import UnavailableError
from shared.job import Grant, Rate, Throttles

BULK = 0.25
URGENT = 3.0
"""Seconds that a slot may be ahead."""
SITE = "site:"
NOTICEABLE = 0.02
"""Seconds of waiting for a slot that tell a mailing which its rate holds back from one that would hardly be faster without."""
PATIENCE = 1.0


class Rates:
    """The rates that a mail is under: its mailing's, its tenant's, its server's, and that of its recipient's site."""

    def __init__(self, settings: MailerSettings, *, mailing: str = "", tenant: str = "", per_second: float | None = None) -> None:
        """`per_second` is the mailing's own."""
        own = (("mailing:" + mailing, per_second), ("tenant:" + tenant, settings.tenant_rate))
        self._shared = [Rate(name, rate) for name, rate in own if rate is not None]
        self._server = settings.server_rate
        self._sites = settings.sites

    def __bool__(self) -> bool:
        """Is there any?"""
        return bool(self._shared or self._server or self._sites)

    def of(self, relay: Relay, address: str) -> list[Rate]:
        """In this order: those that all mails of a batch share come before the site's."""
        found = list(self._shared)
        if self._server is not None:
            found.append(Rate(f"server:{relay.host}:{relay.port}", self._server))
        site = self.site(address)
        return found if site is None else [*found, site]

    def site(self, address: str) -> Rate | None:
        """The rate of the site that has this mailbox."""
        if not self._sites:
            return None
        domain = address.rpartition("@")[2]
        name, rate = self._sites.get(domain) or (domain, self._sites.get("*", ("", 0.0))[1])
        return Rate(SITE + name, rate) if rate else None


class Pace:
    """Slots for a batch's mails. Without rates there is nothing to wait for."""

    def __init__(self, rates: Rates, throttles: Throttles, *, urgent: bool = False) -> None:
        """Nothing is asked yet."""
        self._rates = rates
        self._throttles = throttles
        self._horizon = URGENT if urgent else BULK
        self._asking: list[tuple[list[Rate], asyncio.Future[Grant]]] = []
        self._asker: asyncio.Task[None] | None = None
        self._turns: dict[str, float] = {}
        self._held_since: float | None = None
        self.paces = bool(rates)
        """Is there any rate?"""

    @property
    def holds_back(self) -> bool:
        """Has the batch waited for its rates rather than for servers, for a while now?"""
        return self._held_since is not None and time.monotonic() - self._held_since > PATIENCE

    def turn(self, address: str) -> float | None:
        """When a mail to a site that has no room is worth asking for (Unix seconds); each is told a turn of its own. None: at once."""
        site = self._rates.site(address)
        if site is None or self._turns.get(site.name, 0.0) <= time.time():
            return None
        return self._next_turn(site, 0.0)

    def _next_turn(self, site: Rate, earliest: float) -> float:
        turn = max(self._turns.get(site.name, 0.0), earliest)
        self._turns[site.name] = turn + 1 / site.per_second
        return turn

    async def slot(self, relay: Relay, address: str) -> float | None:
        """Wait for a slot for a mail; None: it may go. Else when to ask again (Unix seconds), negative where that is for its site alone."""
        rates = self._rates.of(relay, address)
        if not rates:
            return None
        answer: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._asking.append((rates, answer))
        if self._asker is None:
            self._asker = asyncio.create_task(self._ask())
        grant = await answer
        if not grant.granted or grant.wait > NOTICEABLE:
            self._held_since = self._held_since or time.monotonic()
        else:
            self._held_since = None
        if grant.granted:
            await asyncio.sleep(grant.wait)
            return None
        again = time.time() + grant.wait
        return -self._next_turn(grant.rate, again) if grant.rate.name.startswith(SITE) else again

    async def _ask(self) -> None:
        """Ask for all who want a slot, until nobody does."""
        while self._asking:
            asking, self._asking = self._asking, []
            try:
                grants = await self._grants([rates for rates, _ in asking])
            except Exception as error:  # noqa: BLE001 - it is raised where the slots are awaited
                for _, answer in asking:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), grant in zip(asking, grants, strict=True):
                if not answer.done():
                    answer.set_result(grant)
        self._asker = None

    async def _grants(self, requests: Sequence[Sequence[Rate]]) -> list[Grant]:
        try:
            return await heard(self._throttles.post(requests, horizon=self._horizon))
        except UnavailableError:
            return await asyncio.to_thread(self._throttles.slots, requests, horizon=self._horizon)
