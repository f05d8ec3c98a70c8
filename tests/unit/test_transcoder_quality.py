"""Which qualities are tried, which one is taken, and what VMAF's figures mean; pure."""

from array import array
from fractions import Fraction

import pytest

from services.transcoder.parts import samples
from services.transcoder.quality import candidates, choose
from services.transcoder.timeline import Timeline
from services.transcoder.vmaf import Score, read, together
from shared.contracts.transcoder_options import Quality

STEEP = {16: 97.0, 22: 92.0, 28: 80.0}


@pytest.mark.parametrize(
    ("vmaf", "crf", "expected"),
    [(92.0, 22, 92.0), (94.0, 20, 94.444), (86.0, 25, 86.875), (97.5, 14, 97.5), (70.0, 31, 72.25), (99.0, 15, 97.25), (50.0, 39, 51.583)],
)
def test_the_worst_quality_that_is_good_enough(vmaf: float, crf: int, expected: float) -> None:
    """By the parabola through what was tried, and its tangents beyond; where nothing is good enough, what is as good as can be had."""
    found, looks = choose(Quality(vmaf=vmaf), "h264", STEEP)

    assert (found, round(looks, 2)) == (crf, round(expected, 2))


def test_bits_that_a_cap_takes_away_are_not_asked_for() -> None:
    """Where a cap makes all qualities look alike, none is good enough, and the cheapest of the alike ones is taken."""
    assert choose(Quality(vmaf=95), "h264", {16: 88.1, 22: 88.0, 28: 80.0})[0] == 22


@pytest.mark.parametrize(
    ("codec", "bounds", "tried"),
    [
        ("h264", {}, [16, 22, 28]),
        ("vp9", {"max_crf": 50}, [27, 33, 39]),
        ("h264", {"min_crf": 20, "max_crf": 24}, [20, 24]),
        ("h264", {"min_crf": 30, "max_crf": 60}, [30, 36, 42]),
        ("h264", {"min_crf": 23, "max_crf": 23}, [23]),
    ],
)
def test_what_is_tried_lies_within_the_bounds(codec: str, bounds: dict[str, int], tried: list[int]) -> None:
    """Around the usual quality, as far as the request leaves room."""
    assert candidates(codec, Quality.model_validate({"vmaf": 90, **bounds})) == tried


def test_samples_are_spread_over_the_film() -> None:
    """Five pieces of two seconds out of a hundred seconds, none at either end; a short film's every piece, once."""
    timeline = Timeline(Fraction(1, 25), array("q", range(2_500)), array("q", [1] * 2_500), array("q", [0]), 2_500)
    spread = samples(timeline, range(2_500), 5, start=0.0, container="mp4")
    short = samples(timeline, range(100), 5, start=0.0, container="mp4")

    assert [(part.first, part.count) for part in spread] == [(250, 50), (750, 50), (1_250, 50), (1_750, 50), (2_250, 50)]
    assert [(part.first, part.count) for part in short] == [(0, 50), (50, 50)]


def test_parts_count_by_their_frames() -> None:
    """The mean of means would let a short end weigh as much as a minute; the worst frame stays the worst."""
    assert together([Score(90.0, 70.0, 300, 5), Score(60.0, 50.0, 100, 6)]) == Score(82.5, 50.0, 400, 11)


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"pooled_metrics": {"vmaf": {"mean": NaN, "min": 1}}}'])
def test_no_figure_is_no_figure(text: str) -> None:
    """Libvmaf's silence is never a score."""
    with pytest.raises(ValueError, match=r"VMAF|Expecting"):
        read(text, 10, 10)
