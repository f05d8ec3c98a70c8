"""Finished uploads go when they are old and no job names them, in two steps; what cannot be known stays."""

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway import upload_retention
from gateway.ledgers import Ledgers
from shared.errors import UnavailableError
from shared.ledger.calls import Call
from shared.local_storage import LocalStorage

DAY = 86_400.0


class CountingLedger:
    """Knows how many jobs name each upload; or does not answer."""

    def __init__(self, used: dict[str, int] | None) -> None:
        self.used = used

    async def run(self, call: Call[Any]) -> Any:
        """As the script does."""
        if self.used is None:
            raise UnavailableError("ledger", "silent")
        return call.parse([str(self.used.get(str(name), 0)) for name in call.args])


class Shelf:
    """A storage with uploads of some age, and two services."""

    def __init__(self, root: Path) -> None:
        self.storage = LocalStorage(root)
        self.avatar, self.mailer = CountingLedger({}), CountingLedger({})

    def finished(self, name: str, *, days: float) -> None:
        """An upload that was finished so long ago."""
        for key, content in ((f"uploads/{name}", b"12345"), (f"uploads/{name}.json", b"{}")):
            self.storage.put(key, content, "text/plain")
            os.utime(self.storage.path(key), (time.time() - days * DAY,) * 2)

    def sweep(self) -> int:
        """With a keep of 30 days."""
        desks = {name: SimpleNamespace(ledger=ledger) for name, ledger in (("avatar", self.avatar), ("mailer", self.mailer))}
        return asyncio.run(upload_retention.sweep(self.storage, cast("Ledgers", SimpleNamespace(desks=desks)), keep=30 * DAY))

    def left(self) -> set[str]:
        """What lies there."""
        return {entry.key.removeprefix("uploads/") for entry in self.storage.list("uploads")}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Empty."""
    return Shelf(tmp_path)


def test_an_old_upload_that_no_job_names_goes_record_first(shelf: Shelf) -> None:
    """A job that was being accepted at the first step still finds the bytes, and counts at the second."""
    shelf.finished("upl_old", days=31)
    shelf.finished("upl_young", days=29)
    first, between = shelf.sweep(), shelf.left()
    second = shelf.sweep()

    assert (0, {"upl_old", "upl_young", "upl_young.json"}) == (first, between)
    assert (1, {"upl_young", "upl_young.json"}) == (second, shelf.left())


def test_an_upload_that_a_job_of_any_service_names_stays(shelf: Shelf) -> None:
    """However old; and one that a job came to name between the two steps keeps its bytes."""
    shelf.finished("upl_used", days=400)
    shelf.finished("upl_late", days=400)
    shelf.mailer.used = {"upl_used": 1}
    shelf.sweep()
    shelf.avatar.used = {"upl_late": 1}
    shelf.sweep()

    assert {"upl_used", "upl_used.json", "upl_late"} == shelf.left()


def test_nothing_goes_while_a_ledger_does_not_answer(shelf: Shelf) -> None:
    """Its jobs may name anything."""
    shelf.finished("upl_old", days=31)
    shelf.mailer.used = None
    with pytest.raises(UnavailableError):
        shelf.sweep()

    assert {"upl_old", "upl_old.json"} == shelf.left()
