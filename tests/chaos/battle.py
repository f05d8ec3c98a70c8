"""The course of one side's battle: load and storm together, then quiet, until nothing moves any more."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from tests.chaos import marks
from tests.chaos.arena import Arena
from tests.chaos.load import Load
from tests.chaos.storm import Disturbance

log = structlog.get_logger()
BACKLOG = 60
BREATH = 12
"""Jobs to be done between two strikes: a system that is dead already cannot be killed."""
BREATH_AT_MOST = 25.0


def fight(arena: Arena, load: Load, storm: Sequence[Disturbance], *, unfinished: Callable[[], int]) -> None:
    """Strike while the load is handed in; returns once every job is accepted and every blow was struck."""
    over = threading.Event()

    def pace() -> None:
        while not over.wait(0.2):
            load.hold(full=unfinished() > BACKLOG)

    pacer = threading.Thread(target=pace, name="pacer", daemon=True)
    with load:
        pacer.start()
        for blow in storm:
            _until(lambda after=blow.after: len(load.accepted) >= after, seconds=600)  # type: ignore[misc]  # a lambda's default
            arena.strike(blow)
            done = _done(arena)
            _until(lambda done=done: load.complete or _done(arena) >= done + BREATH, seconds=BREATH_AT_MOST)  # type: ignore[misc]  # as above
        _until(lambda: load.complete, seconds=600)
        over.set()
        pacer.join()


def quiet(unfinished: Callable[[], int], *, patience: float) -> None:
    """Return once nothing is unfinished, or nothing has changed for `patience` seconds."""
    left, since = unfinished(), time.monotonic()
    while left and time.monotonic() - since < patience:
        time.sleep(0.25)
        if (now := unfinished()) != left:
            left, since = now, time.monotonic()
    log.info("quiet", unfinished=left)


def _done(arena: Arena) -> int:
    return sum(mark.word == "did" for mark in marks.read(arena.marks))


def _until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
