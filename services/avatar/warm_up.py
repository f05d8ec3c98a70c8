"""Loads what the first job would otherwise wait for. Runs in a pool child after the fork, never in the worker's parent."""

import time

import structlog

from services.avatar.engines import ENGINES
from services.avatar.loading import ready

log = structlog.get_logger()


def warm_up(need: str | None = None) -> None:
    """Load every engine that any machine can run, some 1.5 s on a slow core; with `need` those that only some machines can.

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    for engine in (engine for engine in ENGINES if engine.need == need):
        started = time.perf_counter()
        ready(engine.load)
        log.info("engine_loaded", engine=engine.name, seconds=round(time.perf_counter() - started, 3))
