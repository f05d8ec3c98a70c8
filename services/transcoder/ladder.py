"""How large the outputs are: sizes by the shorter side, never upscaled, always even. Pure."""

from dataclasses import dataclass
from fractions import Fraction

RUNGS = (1080, 720, 480, 360, 240)
MAX_RENDITIONS = 3
STEP = Fraction(4, 5)
"""A rung below the top one must be smaller than this share of it: 800 and 720 lines are too alike to be worth encoding both."""
REFERENCE_PIXELS = 1920 * 1080
REFERENCE_CAP = 6_000_000
"""Bits a second that 1080p at 30 frames a second may peak at."""
REFERENCE_RATE = 30
BIT_RATE_EXPONENT = 0.75
"""Ben Waggoner's rule of 0.75: bits needed grow with pixels to this power ("Compression for Great Video and Audio", 2010)."""


@dataclass(frozen=True, slots=True)
class Size:
    """A picture's size in pixels."""

    width: int
    height: int

    @property
    def short(self) -> int:
        """The shorter side, which names a rendition: 1080p is 1920×1080 and 1080×1920 alike."""
        return min(self.width, self.height)

    @property
    def name(self) -> str:
        """For example 720p."""
        return f"{self.short}p"


def _even(length: Fraction) -> int:
    """The nearest even number, at least 2: 4:2:0 has one colour sample for two pixels."""
    return max(round(length / 2) * 2, 2)


def fit(display: tuple[int, int], short: int) -> Size:
    """`display` (width, height, upright and with square pixels) scaled down until its shorter side is `short`."""
    width, height = display
    scale = min(Fraction(short, min(width, height)), Fraction(1))
    fitted = Size(_even(width * scale), _even(height * scale))
    # Rounding to even must not make 719 into 720: that would be upscaling, if only just.
    return Size(min(fitted.width, max(width // 2 * 2, 2)), min(fitted.height, max(height // 2 * 2, 2)))


def fit_width(display: tuple[int, int], width: int) -> Size:
    """`display` scaled down until it is `width` wide."""
    return fit(display, max(round(min(width / display[0], 1) * min(display)), 2))


def ladder(display: tuple[int, int]) -> list[Size]:
    """The sizes of an adaptive package, largest first: the source's own size up to 1080p, then rungs clearly below it."""
    top = min(*display, RUNGS[0])
    rungs = [top, *(rung for rung in RUNGS if rung < top * STEP)]
    return [fit(display, rung) for rung in rungs[:MAX_RENDITIONS]]


def bit_rate_cap(size: Size, rate: Fraction) -> int:
    """Bits a second that a rendition may peak at: by its pixels, and by the root of its frame rate above 30."""
    pixels = (size.width * size.height / REFERENCE_PIXELS) ** BIT_RATE_EXPONENT
    speed = max(float(rate) / REFERENCE_RATE, 1.0) ** 0.5
    return max(int(REFERENCE_CAP * pixels * speed), 150_000)
