"""Sizes: by the shorter side, never upscaled, always even."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transcoder.ladder import Size, bit_rate_cap, fit, ladder

SIDES = st.integers(min_value=2, max_value=8_192)


@pytest.mark.parametrize(
    ("display", "short", "expected"),
    [
        ((1920, 1080), 720, Size(1280, 720)),
        ((1080, 1920), 720, Size(720, 1280)),
        ((640, 360), 720, Size(640, 360)),
        ((1280, 719), 720, Size(1280, 718)),
        ((641, 359), 480, Size(640, 358)),
        ((1920, 800), 1080, Size(1920, 800)),
        ((1920, 1080), 480, Size(854, 480)),
    ],
)
def test_the_shorter_side_decides(display: tuple[int, int], short: int, expected: Size) -> None:
    """A rendition is named by its shorter side, whichever way the picture stands; odd sources lose a line, not gain one."""
    assert expected == fit(display, short)


@given(width=SIDES, height=SIDES, short=st.integers(min_value=2, max_value=2_160))
def test_no_size_is_odd_or_larger_than_its_source(width: int, height: int, short: int) -> None:
    """Whatever the source: even sides, at least 2, neither side beyond the source's."""
    size = fit((width, height), short)

    assert (0, 0) == (size.width % 2, size.height % 2)
    assert 2 <= size.width <= width
    assert 2 <= size.height <= height


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ((3840, 2160), ["1080p", "720p", "480p"]),
        ((1280, 720), ["720p", "480p", "360p"]),
        ((1920, 800), ["800p", "480p", "360p"]),
        ((640, 360), ["360p", "240p"]),
        ((320, 180), ["180p"]),
    ],
)
def test_the_ladder_starts_at_the_source_and_has_three_rungs_at_most(display: tuple[int, int], expected: list[str]) -> None:
    """Top rung: the source's size, 1080p at most; below it only rungs that are clearly smaller."""
    assert expected == [size.name for size in ladder(display)]


def test_caps_grow_with_pixels_and_frame_rate() -> None:
    """6 Mbit/s for 1080p30; twice the frames cost 1.41 times; fewer pixels cost less than proportionally fewer bits."""
    full, half = Size(1920, 1080), Size(1280, 720)

    assert bit_rate_cap(full, Fraction(30)) == 6_000_000
    assert bit_rate_cap(full, Fraction(60)) == pytest.approx(6_000_000 * 2**0.5, abs=1)
    assert bit_rate_cap(half, Fraction(25)) == pytest.approx(3_266_000, rel=0.01)
