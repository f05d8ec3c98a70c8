"""Which mail goes next, and that one made ahead is looked at again before it does."""

import time
from collections.abc import Iterator

import pytest

from services.mailer.mails import Mail
from services.mailer.supply import ROOM, Supply


def mail(name: str) -> Mail:
    """A mail to somebody."""
    return Mail(name, f"{name}@example.com", f"{name}@example.com", b"")


def names(supply: Supply) -> str:
    """Take all that can go."""
    return "".join(found.key for found in iter(supply.take, None))


def test_what_came_back_goes_before_what_is_due_and_that_before_fresh_ones() -> None:
    """And what is due later does not go yet."""
    supply, now = Supply(map(mail, "abcd")), time.time()
    supply.make(9)
    supply.put_off(mail("x"), now - 1)
    supply.put_off(mail("z"), now + 60)
    supply.give_back(mail("m"), None, mail("n"))
    supply.give_back_first(mail("l"))

    assert names(supply) == "lmnxabcd"
    assert supply.exhausted
    assert supply.next_due == now + 60


def test_a_mail_made_ahead_is_asked_about_when_it_goes() -> None:
    """Who unsubscribed between the two is not mailed."""
    gone = set[str]()
    supply = Supply(map(mail, "abcd"), wanted=lambda each: each.key not in gone)
    assert [supply.make(9) for _ in range(3)] == [True] * 3
    gone.update("ac")

    assert names(supply) == "bd"


def test_one_is_made_at_a_time_and_no_more_than_there_is_room_for() -> None:
    """As many as were asked for, and of big ones fewer."""
    supply = Supply(map(mail, "abcd"))
    assert [supply.make(3) for _ in range(4)] == [True, True, True, False]
    assert names(supply) == "abcd"
    assert not supply.make(3)

    big = Supply(Mail(name, "", "", bytes(ROOM - 1)) for name in "abcd")
    assert [big.make(16) for _ in range(3)] == [True, True, False]


def test_those_put_off_and_those_set_aside_are_still_to_come() -> None:
    """Both say when, so that the batch knows when it is to go on."""
    supply = Supply()
    assert (supply.next_due, supply.dues) == (None, [])
    supply.set_aside(50.0)
    supply.put_off(mail("a"), 70.0)

    assert supply.next_due == 70.0
    assert supply.dues == [50.0, 70.0]


def test_what_cannot_be_made_is_raised_where_it_is_asked_for() -> None:
    """The generator's own error."""

    def mails() -> Iterator[Mail]:
        yield mail("a")
        raise RuntimeError("no more")

    supply = Supply(mails())
    supply.make(9)
    with pytest.raises(RuntimeError, match="no more"):
        supply.make(9)
