"""Rates and crowds in the ledger: exact over all who ask, at whatever moment."""

from collections.abc import Iterator

import pytest

from shared.job import Grant, Rate
from shared.ledger.store import Ledger
from shared.ledger.throttles import crowd, slots

T = 1_790_000_000_000
"""Unix ms at which these tests begin."""
SERVER = Rate("server", 100)
SITE = Rate("site", 10)


@pytest.fixture
def ledgers(redis_url: str) -> Iterator[list[Ledger]]:
    """Those of two processes."""
    both = [Ledger(redis_url.replace("/0", "/7"), "mailer", rings_here=True) for _ in range(2)]
    both[0].redis.flushdb()
    yield both
    for ledger in both:
        ledger.close()


def test_all_who_ask_share_one_rate(ledgers: list[Ledger]) -> None:
    """At 100 a second, two processes that ask as fast as they can get a slot each 10 ms between them, and never two at once."""
    given = []
    for moment in range(0, 1_000, 4):
        grant = ledgers[moment // 4 % 2].run(slots([[SERVER]], horizon=0.05), now=T + moment)[0]
        if grant.granted:
            given.append(moment + round(grant.wait * 1000))

    assert given == list(range(0, given[-1] + 10, 10))
    assert 1_000 <= given[-1] <= 1_050


def test_who_is_late_catches_up_on_a_tenth_of_a_second_and_no_more(ledgers: list[Ledger]) -> None:
    """So the rate is reached by those who cannot be on time to the millisecond, and a pause saves up nothing."""
    ledgers[0].run(slots([[SERVER]], horizon=0.0), now=T)
    at_once = [ledgers[0].run(slots([[SERVER]], horizon=0.0), now=T + 5_000)[0].granted for _ in range(30)]

    assert at_once == [True] * 11 + [False] * 19


def test_a_mail_counts_against_all_of_its_rates_or_none(ledgers: list[Ledger]) -> None:
    """The site's makes it wait and is named; the server's keeps its room for other sites meanwhile."""
    first, second = ledgers[0].run(slots([[SERVER, SITE], [SERVER, SITE]], horizon=0.05), now=T)
    other = ledgers[1].run(slots([[SERVER]], horizon=0.05), now=T)[0]

    assert first == Grant(granted=True, wait=0.0, rate=SERVER)
    assert second == Grant(granted=False, wait=0.05, rate=SITE)
    assert other == Grant(granted=True, wait=0.01, rate=SERVER)


def test_the_urgent_pass_bulk_under_the_same_rate(ledgers: list[Ledger]) -> None:
    """Bulk takes slots as far ahead as it may look; the urgent ones come right behind these, and bulk after them."""
    bulk = [ledgers[0].run(slots([[SITE]], horizon=0.25), now=T)[0] for _ in range(5)]
    urgent = [ledgers[1].run(slots([[SITE]], horizon=3.0), now=T)[0] for _ in range(2)]
    behind = ledgers[0].run(slots([[SITE]], horizon=0.25), now=T + 200)[0]

    assert [grant.granted for grant in bulk] == [True, True, True, False, False]
    assert [(grant.granted, grant.wait) for grant in urgent] == [(True, 0.3), (True, 0.4)]
    assert (behind.granted, behind.wait) == (False, 0.05)


def test_a_rate_that_nobody_asks_for_is_forgotten(ledgers: list[Ledger]) -> None:
    """A million domains would be a million keys."""
    ledgers[0].run(slots([[SITE]], horizon=1.0))

    assert 0 < ledgers[0].redis.pttl("cf:{mailer}:pace:site") <= 11_000


def test_a_crowd_is_halved_for_all_and_grows_back(ledgers: list[Ledger]) -> None:
    """Once a second at most, for all of them see the same refusals; whole again, nothing is left of it."""
    first, second = ledgers
    shares = [
        first.run(crowd("mx", halve=True), now=T),
        second.run(crowd("mx", halve=True), now=T + 300),
        second.run(crowd("mx", halve=True), now=T + 1_300),
        first.run(crowd("mx", more=0.5), now=T + 1_400),
        second.run(crowd("mx"), now=T + 1_500),
        first.run(crowd("mx", more=0.25), now=T + 1_600),
    ]

    assert shares == [0.5, 0.5, 0.25, 0.75, 0.75, 1.0]
    assert not first.redis.exists("cf:{mailer}:crowd:mx")
