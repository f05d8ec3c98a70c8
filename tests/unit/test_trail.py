"""The page that says which span a process was in."""

import os

import pytest

from shared import telemetry, trail


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of this test's own."""
    monkeypatch.setattr(trail, "_page", None)
    monkeypatch.setattr(trail, "_current", "")
    trail.begin()


@pytest.mark.usefixtures("page")
def test_the_innermost_open_span_is_told() -> None:
    """Entered, it is the last; left, the one around it is again."""
    with telemetry.step("encode"):
        with telemetry.step("encode 720p"):
            inner = trail.last(os.getpid())
        outer = trail.last(os.getpid())

    assert ("encode 720p", "encode", "") == (inner, outer, trail.last(os.getpid()))


@pytest.mark.usefixtures("page")
def test_a_slot_that_is_somebody_elses_says_nothing() -> None:
    """Two pids may share a slot; the answer is then unknown, never the other's."""
    trail.note("mine")

    assert ("mine", "") == (trail.last(os.getpid()), trail.last(os.getpid() + trail.SLOTS))


@pytest.mark.usefixtures("page")
def test_a_long_name_is_cut() -> None:
    """A name takes 59 bytes at most and spoils no other slot, even cut within a character."""
    trail.note("ü" * 100)

    assert trail.last(os.getpid()).startswith("ü" * 29)
    assert trail.last(os.getpid() + 1) == ""


def test_without_a_page_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway has no children to explain."""
    monkeypatch.setattr(trail, "_page", None)

    assert ("", "") == (trail.note("POST /v1/avatars"), trail.last(os.getpid()))
