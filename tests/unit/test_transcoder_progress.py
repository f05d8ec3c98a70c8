"""FFmpeg's progress blocks become figures for people."""

import pytest

from services.transcoder.progress import Goal, ProgressParser, Snapshot, eta

BLOCK = b"""frame=75
fps=24.90
stream_0_0_q=28.0
bitrate=1205.9kbits/s
total_size=524336
out_time_us=3000000
out_time_ms=3000000
out_time=00:00:03.000000
dup_frames=1
drop_frames=2
speed=1.5x
progress=continue
"""


def test_a_block_is_read() -> None:
    """`out_time_ms` is in microseconds in spite of its name: three seconds, not three thousand."""
    expected = Snapshot(frame=75, dropped=2, duplicated=1, seconds=3.0, bytes=524_336, speed=1.5, finished=False)

    assert [expected] == ProgressParser().feed(BLOCK)


def test_blocks_may_come_in_single_bytes() -> None:
    """A pipe cuts where it likes."""
    parser = ProgressParser()
    found = [snapshot for byte in BLOCK * 2 for snapshot in parser.feed(bytes([byte]))]

    assert [75, 75] == [snapshot.frame for snapshot in found]


def test_what_ffmpeg_does_not_know_stays_as_it_was() -> None:
    """The first blocks read N/A; later ones must not set progress back."""
    parser = ProgressParser()
    parser.feed(BLOCK)
    unknown = b"frame=76\ntotal_size=N/A\nout_time_us=N/A\nspeed=N/A\nprogress=end\n"

    assert [Snapshot(frame=76, dropped=2, duplicated=1, seconds=3.0, bytes=524_336, speed=1.5, finished=True)] == parser.feed(unknown)


def test_an_endless_line_is_not_kept() -> None:
    """A program gone mad does not fill our memory."""
    parser = ProgressParser()
    parser.feed(b"x" * 1_000_000)

    assert len(parser._rest) <= 4_096


@pytest.mark.parametrize(
    ("at", "goal", "expected"),
    [
        (Snapshot(frame=75, seconds=9.0), Goal(12.0, 300), 0.25),
        (Snapshot(frame=70, dropped=10, duplicated=5), Goal(12.0, 300), 0.25),
        (Snapshot(frame=400), Goal(12.0, 300), 0.999),
        (Snapshot(seconds=3.0), Goal(12.0, None), 0.25),
        (Snapshot(seconds=30.0), Goal(12.0, None), 0.999),
        (Snapshot(seconds=3.0), Goal(None, None), 0.0),
        (Snapshot(seconds=3.0, finished=True), Goal(None, None), 1.0),
    ],
)
def test_the_fraction_goes_by_frames_where_there_are_any(at: Snapshot, goal: Goal, expected: float) -> None:
    """The sound runs ahead of the picture; and 1 is reached only when FFmpeg says that it is done."""
    assert expected == goal.fraction(at)


def test_seconds_to_go_follow_from_what_is_done() -> None:
    """A quarter took two seconds: six to go. At the very start nobody knows."""
    assert eta(0.25, 2.0) == pytest.approx(6.0)
    assert eta(0.0, 2.0) is None


def test_people_read_a_clock_and_a_speed() -> None:
    """No figures of false precision."""
    assert Goal(100.0, 1_000).describe(Snapshot(frame=834), 33.0) == "1:23 done, 2.5× real time"
    assert Goal(100.0, 1_000).describe(Snapshot(), 0.0) == "0:00 done"
