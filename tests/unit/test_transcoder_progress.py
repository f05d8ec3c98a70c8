"""FFmpeg's progress blocks become figures for people."""

import pytest

from services.transcoder.progress import ProgressParser, Snapshot, describe, eta, fraction

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
    ("at", "duration", "expected"),
    [
        (Snapshot(seconds=3.0), 12.0, 0.25),
        (Snapshot(seconds=30.0), 12.0, 0.999),
        (Snapshot(seconds=-1.0), 12.0, 0.0),
        (Snapshot(seconds=3.0), None, 0.0),
        (Snapshot(seconds=3.0, finished=True), None, 1.0),
    ],
)
def test_the_fraction_stays_between_0_and_1(at: Snapshot, duration: float | None, expected: float) -> None:
    """And reaches 1 only when FFmpeg says that it is done."""
    assert expected == fraction(at, duration)


def test_seconds_to_go_follow_the_speed() -> None:
    """Nine seconds of media at 1.5 × real time take six; without a speed nobody knows."""
    assert eta(Snapshot(seconds=3.0, speed=1.5), 12.0) == pytest.approx(6.0)
    assert eta(Snapshot(seconds=3.0), 12.0) is None
    assert eta(Snapshot(seconds=3.0, speed=1.5), None) is None


def test_people_read_a_clock_and_a_speed() -> None:
    """No figures of false precision."""
    assert describe(Snapshot(seconds=83.4, speed=2.531)) == "1:23 done, 2.5× real time"
    assert describe(Snapshot()) == "0:00 done"
