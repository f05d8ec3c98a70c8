"""Timelines and cuts are pure: packets in, parts out."""

from fractions import Fraction
from itertools import pairwise

import pytest

from services.transcoder.film import Film
from services.transcoder.ladder import Size
from services.transcoder.parts import cut, grid, length, selection, shares
from services.transcoder.timeline import Timeline, read, steady, unbroken
from shared.contracts.transcoder import Clip
from tests.unit.transcoder_probes import picture

TICK = Fraction(1, 90_000)


def line(times: list[int], keys: set[int], tick: Fraction = TICK) -> Timeline:
    """A timeline of frames at these ticks, of a hundred bytes each."""
    step = times[1] - times[0] if len(times) > 1 else 1
    found = read((f"{time},{step},100,{'K__' if index in keys else '___'}\n" for index, time in enumerate(times)), tick)
    assert found is not None
    return found


def regular(seconds: int, rate: int = 25, gop: int = 50, first: int = 0) -> Timeline:
    """So many seconds at a constant rate, a keyframe every `gop` frames."""
    count = seconds * rate
    return line([first + index * 90_000 // rate for index in range(count)], set(range(0, count, gop)))


def test_packets_are_put_in_the_order_in_which_they_are_shown() -> None:
    """B-frames are stored after the frame that they are shown before."""
    found = read(["0,10,500,K__", "30,10,200,___", "10,10,100,___", "20,10,100,___"], TICK)

    assert found is not None
    assert (list(found.times), list(found.sizes), list(found.keys), found.end) == ([0, 10, 20, 30], [500, 100, 100, 200], [0], 40)


def test_the_last_frame_is_not_shown_for_a_pause_from_amid_the_others() -> None:
    """An MP4 tells how long a frame is decoded: the one shown last was decoded before two others, with a pause after it."""
    found = read(["0,10,500,K__", "900,880,200,___", "10,10,100,___", "20,10,100,___"], TICK)

    assert found is not None
    assert found.end == 910


@pytest.mark.parametrize(
    "lines",
    [[], ["N/A,10,500,K__"], ["0,10,500,K__", "0,10,200,___"], ["0,10,500,___"]],
    ids=["nothing", "no timestamps", "one twice", "no keyframe"],
)
def test_packets_that_do_not_tell_make_no_timeline(lines: list[str]) -> None:
    """Then the film is encoded in one piece."""
    assert read(lines, TICK) is None


def test_what_no_decoder_shows_is_no_frame() -> None:
    """Frames before the first keyframe, and those that the container says to discard."""
    found = read(["0,10,9,___", "10,10,9,K__", "20,10,9,_D_", "30,10,9,___"], TICK)

    assert found is not None
    assert list(found.times) == [10, 30]


@pytest.mark.parametrize(
    ("times", "tick", "rate", "expected"),
    [
        ([0, 3_003, 6_006, 9_009], TICK, Fraction(2_997, 100), Fraction(30_000, 1_001)),
        ([0, 42, 83, 125, 167], Fraction(1, 1_000), Fraction(24_000, 1_001), Fraction(24_000, 1_001)),
        ([0, 1, 3, 4], Fraction(1, 25), Fraction(25), None),
    ],
    ids=["exact", "in milliseconds", "a frame is missing"],
)
def test_a_steady_rate_is_recognised_and_named_exactly(times: list[int], tick: Fraction, rate: Fraction, expected: Fraction | None) -> None:
    """However the container rounds."""
    assert steady(line(times, {0}, tick), rate) == expected


def test_a_clock_that_was_set_anew_is_noticed_in_a_broadcast() -> None:
    """A slide that stays for a minute in an MP4 is not that."""
    jump = line([0, 3_600, 90_000 * 60, 90_000 * 60 + 3_600], {0})

    assert not unbroken(jump, "mpegts")
    assert unbroken(jump, "mov,mp4")


@pytest.mark.parametrize(("seconds", "expected"), [(5.0, 5.0), (29.0, 29.0), (60.0, 15.0), (240.0, 30.0), (7_200.0, 60.0)])
def test_segments_last_from_15_to_60_seconds(seconds: float, expected: float) -> None:
    """An eighth of the film; a short one is one."""
    assert length(seconds, 15.0, 60.0) == expected


def test_parts_have_every_frame_once() -> None:
    """Whatever the source's keyframes."""
    timeline = regular(65, gop=130, first=7_777)
    parts = cut(timeline, range(len(timeline.times)), 15.0, start=7_777 / 90_000, container="mov,mp4")

    assert [part.number for part in parts] == [0, 1, 2, 3]
    assert sum(part.count for part in parts) == 65 * 25
    assert all(before.first + before.count == after.first for before, after in pairwise(parts))
    assert all(before.end == after.start for before, after in pairwise(parts))


def test_a_part_costs_by_its_frames_and_its_bytes() -> None:
    """A short part is not taken for a dear one because there is much to see in it."""
    times = [index * 3_600 for index in range(1_500)]
    lines = (f"{time},3600,{300 if index >= 1_100 else 100},{'K__' if index % 50 == 0 else '___'}" for index, time in enumerate(times))
    timeline = read(lines, TICK)
    assert timeline is not None
    parts = cut(timeline, range(1_500), 22.0, start=0.0, container="mov,mp4")

    assert [part.count for part in parts] == [500, 500, 500]
    assert sum(shares(parts)) == pytest.approx(1.0)
    assert shares(parts)[0] < shares(parts)[2] < 2 * shares(parts)[0]


def test_a_cut_prefers_a_keyframe_of_the_source() -> None:
    """Every four seconds: a part that begins there decodes nothing in vain."""
    timeline = regular(60, gop=100)
    parts = cut(timeline, range(len(timeline.times)), 15.0, start=0.0, container="matroska,webm")

    assert all(part.first % 100 == 0 for part in parts)
    assert all(part.first % 50 == 0 for part in parts)


def test_a_seek_lands_on_the_keyframe_or_well_before_it() -> None:
    """An MP4's index is exact; in a broadcast FFmpeg looks around and may land anywhere earlier."""
    timeline = regular(60, gop=50)
    frames = range(len(timeline.times))
    exact = cut(timeline, frames, 15.0, start=0.0, container="mov,mp4")[1]
    vague = cut(timeline, frames, 15.0, start=0.0, container="mpegts")[1]
    key = timeline.key_before(exact.first) / 25

    assert exact.seek == pytest.approx(key + 0.02)
    assert vague.seek == pytest.approx(key - 0.7)


def test_keyframes_of_all_parts_are_those_of_one_grid() -> None:
    """The first frame at or after each even second, asked for half a frame early, so that rounding moves none."""
    timeline = line([index * 3_003 for index in range(900)], {0})
    keys = grid(timeline, range(900))
    parts = cut(timeline, range(900), 15.0, start=0.0, container="mov,mp4")
    asked = [part.first + max(round(at * 30_000 / 1_001 + 0.5), 0) for part in parts for at in part.keys]

    assert keys == [0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720, 780, 840][: len(keys)]
    assert [at for at in asked if at] == keys[1:]


def test_a_clip_selects_its_frames_exactly() -> None:
    """From 0.9 s on, for 6 s, of a stream that begins at one second."""
    timeline = regular(10, first=90_000)

    assert selection(timeline, Fraction(1) + Fraction(9, 10), 6.0) == range(23, 173)
    assert selection(timeline, Fraction(1), None) == range(250)


def test_rounded_durations_add_up() -> None:
    """The sums are rounded, not the summands: after 200 parts of 29.97 the error is below a microsecond."""
    timeline = line([index * 3_003 for index in range(90_000)], set(range(0, 90_000, 300)))
    parts = cut(timeline, range(90_000), 15.0, start=0.0, container="mov,mp4")
    film = Film(picture(), Clip(), Size(1280, 720), parts, Fraction(30_000, 1_001))

    assert len(parts) > 150
    assert sum(film.seconds()) == pytest.approx(90_000 * 1_001 / 30_000, abs=1e-6)
    assert film.frames == 90_000


def test_two_frames_a_million_years_apart_are_not_a_million_years_of_parts() -> None:
    """Found by `python -m tests.hostile`: the worker cut for hours, and no watchdog looks at our own code."""
    timeline = line([0, 2**61], {0, 1})

    assert len(cut(timeline, range(2), 30.0, start=0.0, container="nut")) <= 2
