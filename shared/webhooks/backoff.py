"""When a delivery that failed is tried again: Standard Webhooks' schedule, cut off after a day. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds. `delays` go from one try to the next; the last try is at the end of the `window`, which begins with the first."""

    delays: Sequence[float] = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
    window: float = 86_400.0

    def following(self, tries: int, elapsed: float, *, retry_after: float | None = None, rng: random.Random | None = None) -> float | None:
        """How long to wait after try number `tries` (1 = the first) failed, `elapsed` into the window; None: it is given up.

        Never less than the receiver asks for in `retry_after`, save that the window is kept.
        """
        left = self.window - elapsed
        if left <= 0:
            return None
        delay = self.delays[tries - 1] * (rng or random).uniform(1 - JITTER, 1 + JITTER) if tries <= len(self.delays) else left
        return min(max(delay, retry_after or 0.0), left)
