"""Where a film is cut into parts that are encoded apart. Pure.

A part begins at a frame of the global keyframe grid, so that the joined film has the keyframes of a single run; among those near the
even share, at the one for which the least has to be decoded in vain, because a decoder can only begin at a keyframe of the source.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil

from services.transcoder.timeline import Timeline

GRID_SECONDS = 2
"""Keyframes of every output lie at multiples of this, and nowhere else."""
LEEWAY = 0.15
"""Share of a part's length by which a cut may leave the even share for a cheaper place."""
INDEXED = ("mov", "matroska")
"""Containers in which a seek lands on the keyframe that was asked for. In others it lands anywhere before, so one asks for more."""
RUN_UP = 0.7
"""Seconds before the keyframe that are asked for there."""


@dataclass(frozen=True, slots=True)
class Part:
    """Frames `first` … `first + count - 1` of the film. `start` and `end` are in ticks of the source's clock, `end` excluded.

    `keys` are seconds since the part's start, each half a frame before a keyframe, so that no rounding moves it to the next one.
    """

    number: int
    first: int
    count: int
    start: int
    end: int
    seek: float | None
    """Where FFmpeg begins to read, in seconds since the file's start; None: at the start."""
    keys: tuple[float, ...]
    bytes: int
    """Of its frames in the source."""
    last: int | None = None
    """The tick of its last frame; None in the plans of older versions."""


def length(duration: float, shortest: float, longest: float) -> float:
    """Seconds of a part: about an eighth of the film, within the limits; a film of less than two of the shortest is one part."""
    return duration if duration < 2 * shortest else min(max(duration / 8, shortest), longest)


def shares(parts: Sequence[Part]) -> list[float]:
    """What each part will cost, as a share of the film: encoding goes by frames, decoding, and how much there is to see, by bytes."""
    frames, size = sum(part.count for part in parts), max(sum(part.bytes for part in parts), 1)
    return [(part.count / frames + part.bytes / size) / 2 for part in parts]


def selection(timeline: Timeline, origin: Fraction, duration: float | None) -> range:
    """The frames that are shown from `origin` (seconds of the stream's clock) on, for `duration` seconds (None: to the end)."""
    first = bisect_left(timeline.times, ceil(origin / timeline.tick))
    if duration is None:
        return range(first, len(timeline.times))
    stop = (origin + Fraction(duration).limit_denominator(10**6)) / timeline.tick
    return range(first, bisect_left(timeline.times, ceil(stop)))


def grid(timeline: Timeline, frames: range) -> list[int]:
    """The frames that become keyframes: the first one at or after each multiple of GRID_SECONDS."""
    found: list[int] = []
    begin, due, step = timeline.times[frames.start], 0, GRID_SECONDS / timeline.tick
    for index in frames:
        if timeline.times[index] - begin >= due:
            found.append(index)
            due = ceil(((timeline.times[index] - begin) // step + 1) * step)
    return found


def cut(timeline: Timeline, frames: range, seconds: float, *, start: float, container: str) -> tuple[Part, ...]:
    """The parts, in order. `start` is where the file begins on the stream's clock."""
    keys = grid(timeline, frames)
    whole = float(timeline.seconds(frames.stop) - timeline.seconds(frames.start))
    # No more of them than keyframes: a hostile file's two frames may lie a million years apart.
    starts = _starts(timeline, keys, min(max(round(whole / seconds), 1), len(keys)), whole)
    source = _Source(timeline, frames, keys, start, container)
    return tuple(source.part(number, first, stop) for number, (first, stop) in enumerate(pairwise([*starts, frames.stop])))


def samples(timeline: Timeline, frames: range, count: int, *, start: float, container: str) -> tuple[Part, ...]:
    """At most `count` pieces of one step of the keyframe grid, evenly spread: what a film looks like, in short."""
    keys = grid(timeline, frames)
    bounds, source = [*keys, frames.stop], _Source(timeline, frames, keys, start, container)
    places = sorted({(2 * at + 1) * len(keys) // (2 * count) for at in range(count)})
    return tuple(source.part(number, bounds[place], bounds[place + 1]) for number, place in enumerate(places))


@dataclass(frozen=True, slots=True)
class _Source:
    """What parts are cut from: the film is `frames` of the timeline, with a grid of `keys`."""

    timeline: Timeline
    frames: range
    keys: Sequence[int]
    start: float
    container: str

    def part(self, number: int, first: int, stop: int) -> Part:
        timeline = self.timeline
        return Part(
            number=number,
            first=first - self.frames.start,
            count=stop - first,
            start=timeline.time(first),
            end=timeline.time(stop),
            seek=_seek(timeline, first, self.start, self.container),
            keys=_keys(timeline, first, [key for key in self.keys if first <= key < stop]),
            bytes=sum(timeline.sizes[first:stop]),
            last=timeline.times[stop - 1],
        )


def _starts(timeline: Timeline, keys: Sequence[int], count: int, whole: float) -> list[int]:
    starts, share = [keys[0]], whole / count
    at = [float(timeline.seconds(key) - timeline.seconds(keys[0])) for key in keys]
    for number in range(1, count):
        ideal = share * number
        near = range(bisect_left(at, ideal - share * LEEWAY), bisect_left(at, ideal + share * LEEWAY))
        costs = [(keys[n] - timeline.key_before(keys[n]), abs(at[n] - ideal), keys[n]) for n in near if keys[n] > starts[-1]]
        starts += [min(costs)[2]] if costs else []
    return starts


def _seek(timeline: Timeline, first: int, start: float, container: str) -> float | None:
    key = timeline.key_before(first)
    if key == 0:
        return None
    at = float(timeline.times[key] * timeline.tick) - start
    exact = any(name in container for name in INDEXED)
    # Half a frame late: a timestamp that was rounded down would lie before the keyframe, and lead to the one before that.
    asked = at + float((timeline.time(key + 1) - timeline.times[key]) * timeline.tick) / 2 if exact else at - RUN_UP
    return max(round(asked, 6), 0.0) or None


def _keys(timeline: Timeline, first: int, keys: Sequence[int]) -> tuple[float, ...]:
    def half_before(key: int) -> float:
        between = Fraction(timeline.times[key - 1] + timeline.times[key], 2) - timeline.times[first]
        return round(float(between * timeline.tick), 6)

    return tuple(0.0 if key == first else half_before(key) for key in keys)
