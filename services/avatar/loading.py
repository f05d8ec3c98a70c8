"""What an engine needs is loaded once per process: by the warm-up in the background, or by the first job, if that comes earlier."""

import threading

from services.avatar.workshop import Load

_ONE_AT_A_TIME = threading.Lock()
"""The warm-up and a job may want the same network at once: without this each would load one, and the process keep both."""
_loaded: set[Load] = set()


def ready(load: Load) -> None:
    """Return when `load` has run, in this thread or in another; waits for the load under way.

    Raises:
        SettingsError: a model file is missing or was changed; the next call tries again.
    """
    if load in _loaded:
        return
    with _ONE_AT_A_TIME:
        if load not in _loaded:
            load()
            _loaded.add(load)
