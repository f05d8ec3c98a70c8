"""The course of one side's battle: load and storm together, then quiet, until nothing moves any more."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from tests.chaos.arena import Arena
from tests.chaos.load import Load
from tests.chaos.storm import Disturbance

log = structlog.get_logger()
BACKLOG = 60
BREATH = 12
"""Jobs to be done between two strikes: a system that is dead already cannot be killed."""
BREATH_AT_MOST = 25.0
STANDSTILL = 600.0
"""Seconds until a load that is not accepted any more ends the run, as a failure."""
TELL_EVERY = 15.0


def fight(arena: Arena, load: Load, storm: Sequence[Disturbance], *, unfinished: Callable[[], int]) -> None:
    """Strike while the load is handed in; returns once every job is accepted and every blow was struck."""
    over = threading.Event()

    def pace() -> None:
        while not over.wait(0.2):
            try:
                load.hold(full=unfinished() > BACKLOG)
            except Exception:  # a ledger that is away for long: the load goes on, or the run would stand still without a word
                log.exception("load_not_paced")
                load.hold(full=False)

    pacer = threading.Thread(target=pace, name="pacer", daemon=True)
    with load:
        pacer.start()
        for number, blow in enumerate(storm, 1):
            moved = _until(lambda after=blow.after: len(load.accepted) >= after, seconds=STANDSTILL)  # type: ignore[misc]  # a lambda's default
            assert moved, f"only {len(load.accepted)} jobs were accepted, {STANDSTILL:.0f} s after the last blow"
            arena.strike(blow)
            done = len(arena.book.done())
            log.info("struck", side=arena.name, what=blow.what, blow=f"{number} of {len(storm)}", accepted=len(load.accepted), done=done)
            _until(lambda done=done: load.complete or len(arena.book.done()) >= done + BREATH, seconds=BREATH_AT_MOST)  # type: ignore[misc]
        assert _until(lambda: load.complete, seconds=STANDSTILL), f"only {len(load.accepted)} jobs were accepted"
        over.set()
        pacer.join()


def quiet(unfinished: Callable[[], int], *, patience: float) -> None:
    """Return once nothing is unfinished, or nothing has changed for `patience` seconds."""
    left, since, told = unfinished(), time.monotonic(), time.monotonic()
    while left and time.monotonic() - since < patience:
        time.sleep(0.25)
        if (now := unfinished()) != left:
            left, since = now, time.monotonic()
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            log.info("waited", unfinished=left, unchanged_for=round(told - since), patience=patience)
    log.info("quiet", unfinished=left)


def _until(true: Callable[[], bool], *, seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
