"""What one turn of load measured, and what several say together."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request, repeated. `headers` are constant; with `unique_keys` each request has an Idempotency-Key of its own."""

    url: str
    body: bytes
    headers: dict[str, str]
    unique_keys: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """One turn. `rate` in requests a second, `p50` and `p99` in milliseconds; `refused` counts answers that are not 2xx, and breaks."""

    rate: float
    p50: float
    p99: float
    requests: int
    refused: int
    cpu_us: float = math.nan
    """Processor time of the gateway's process, in microseconds a request."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Several turns of one gateway: medians, and the slowest and fastest turn."""

    name: str
    rate: float
    slowest: float
    fastest: float
    p50: float
    p99: float
    cpu_us: float
    refused: int

    @classmethod
    def of(cls, name: str, turns: Sequence[Figures]) -> "Summary":
        """The medians of at least one turn."""
        rates = [turn.rate for turn in turns]
        return cls(
            name=name,
            rate=statistics.median(rates),
            slowest=min(rates),
            fastest=max(rates),
            p50=statistics.median(turn.p50 for turn in turns),
            p99=statistics.median(turn.p99 for turn in turns),
            cpu_us=statistics.median(turn.cpu_us for turn in turns),
            refused=sum(turn.refused for turn in turns),
        )


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The nearest-rank percentile of an ascending sequence; 0.0 of nothing."""
    return ordered[max(math.ceil(fraction * len(ordered)) - 1, 0)] if ordered else 0.0
