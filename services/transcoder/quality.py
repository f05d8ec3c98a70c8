"""The quality of a film by its VMAF: which qualities to try on a few seconds of it, and which one to take. Pure.

The curve from `crf` to VMAF is smooth, falls, and falls faster the worse it gets, so a parabola is laid through three points: straight
lines missed by two and a half on Big Buck Bunny. It differs from film to film by ten points and more, which is what trying is for
("per-title encoding", Netflix 2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from services.transcoder.codecs import CODECS
from services.transcoder.outputs import Rendition
from services.transcoder.vmaf import Score
from shared.contracts.transcoder_options import WORST_CRF, Quality

SAMPLES = 5
"""Pieces of two seconds that are tried."""
APART = 6
"""Between two tried qualities: in H.264 twice or half the bits."""
FLAT = 0.25
"""VMAF that a better quality must gain to be worth its bits; less where a cap holds it down."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was tried for a rendition, by crf, and what is taken: `crf`, of which `expected` VMAF is expected."""

    rendition: Rendition
    tried: Mapping[int, Score]
    crf: int
    expected: float
    target: float


def candidates(codec: str, asked: Quality) -> list[int]:
    """The two or three qualities to try (one where the request leaves no choice), best first."""
    least, most = bounds(codec, asked)
    middle = min(max(CODECS[codec].crf, least + APART), most - APART)
    return sorted({min(max(crf, least), most) for crf in (middle - APART, middle, middle + APART)})


def bounds(codec: str, asked: Quality) -> tuple[int, int]:
    """The best and the worst crf that may be taken."""
    worst = min(asked.max_crf, WORST_CRF) if codec in ("h264", "h265") else asked.max_crf
    return min(asked.min_crf, worst), worst


def choose(asked: Quality, codec: str, tried: Mapping[int, float]) -> tuple[int, float]:
    """The worst whole crf that is expected to be good enough, and its expected VMAF; `tried` is crf → VMAF.

    Where none is, the worst that is as good as can be had: under a cap a better one would look the same.
    """
    least, most = bounds(codec, asked)
    expected = {crf: expect(tried, crf) for crf in range(least, most + 1)}
    enough = [crf for crf, vmaf in expected.items() if vmaf >= asked.vmaf]
    if enough:
        return max(enough), expected[max(enough)]
    best = max(expected.values())
    flat = max(crf for crf, vmaf in expected.items() if vmaf >= best - FLAT)
    return flat, expected[flat]


def expect(tried: Mapping[int, float], crf: int) -> float:
    """VMAF between tried points, by the parabola through all three (Newton's form); beyond them, by its tangent at the last one.

    Between two points it stays between their values, whatever the third one is.
    """
    points = sorted(tried.items())
    if len(points) == 1:
        return points[0][1]
    slopes = [(after - before) / (right - left) for (left, before), (right, after) in pairwise(points)]
    bend = (slopes[-1] - slopes[0]) / (points[-1][0] - points[0][0]) if len(slopes) > 1 else 0.0
    (first, best), (last, worst) = points[0], points[-1]
    if crf < first:
        vmaf = best + min(slopes[0] - bend * (points[1][0] - first), 0.0) * (crf - first)
    elif crf > last:
        vmaf = worst + min(slopes[-1] + bend * (last - points[-2][0]), 0.0) * (crf - last)
    else:
        (left, before), (right, after) = next(pair for pair in pairwise(points) if crf <= pair[1][0])
        curve = before + (after - before) * (crf - left) / (right - left) + bend * (crf - left) * (crf - right)
        vmaf = min(max(curve, min(before, after)), max(before, after))
    return min(max(vmaf, 0.0), 100.0)


def describe(choice: Choice) -> str | None:
    """What to tell the user where the target is out of reach; None where it is not."""
    if choice.expected >= choice.target:
        return None
    size = choice.rendition.size.name
    return f"{size}: a VMAF of {choice.target:g} is out of reach within the bounds of crf and bit rate; {choice.expected:.1f} is expected"


def bit_rate(score: Score, seconds: float) -> int:
    """Bits a second of the samples, which last so long."""
    return int(score.bytes * 8 / seconds)


def variant(rendition: Rendition, crf: int) -> Rendition:
    """The rendition at a quality that is tried."""
    return replace(rendition, file=f"try-{crf}-{rendition.file}", sound=False, crf=crf)


def trials(renditions: Sequence[Rendition], asked: Quality) -> list[Rendition]:
    """Every encoding that is tried."""
    return [variant(one, crf) for one in renditions if one.unsettled for crf in candidates(one.codec, asked)]
