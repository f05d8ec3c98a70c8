"""Models are loaded once per process, whoever comes first: the warm-up in the background or a job."""

import threading

import pytest

from services.avatar.loading import ready
from shared.errors import SettingsError


def test_who_comes_during_a_load_waits_for_it() -> None:
    """A job that comes while the warm-up loads is told that it is ready when it is, and loads nothing again."""
    begun, go_on, seen = threading.Event(), threading.Event(), list[str]()

    def load() -> None:
        begun.set()
        assert go_on.wait(30)
        seen.append("loaded")

    def job() -> None:
        ready(load)
        seen.append("drew")

    threads = [threading.Thread(target=ready, args=(load,)), threading.Thread(target=job)]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(30)

    assert ["loaded", "drew"] == seen


def test_what_failed_is_tried_again() -> None:
    """A job after a failed warm-up meets the error itself, not an engine without its models."""
    tries: list[int] = []

    def load() -> None:
        tries.append(1)
        raise SettingsError("The model is missing.")

    for _ in range(2):
        with pytest.raises(SettingsError):
            ready(load)

    assert [1, 1] == tries
