"""When a failed attempt is tried again, and which policies refuse to start."""

import math
import random
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.policy import Policy, RetryPolicy

DAY = 86_400.0


class Highest(random.Random):
    """Always draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        """The most that full jitter allows."""
        del a
        return b


@pytest.mark.parametrize(("errors", "ceiling"), [(1, 2.0), (2, 4.0), (3, 8.0), (9, 512.0), (10, 600.0), (100, 600.0), (5_000, 600.0)])
def test_delay_doubles_up_to_the_cap(errors: int, ceiling: float) -> None:
    """The longest wait after error n is first × factor^(n-1), capped; no number of errors overflows."""
    assert ceiling == RetryPolicy().delay(errors, rng=Highest())


def test_delay_is_full_jitter() -> None:
    """Delays lie anywhere between 0 and the ceiling, so that jobs which failed together do not come back together."""
    rng = random.Random(1)
    delays = [RetryPolicy().delay(3, rng=rng) for _ in range(2_000)]

    assert 0.0 <= min(delays) < 0.1
    assert 7.9 < max(delays) <= 8.0
    assert math.isclose(4.0, sum(delays) / len(delays), abs_tol=0.2)


@pytest.mark.parametrize(("wish", "delay"), [(0.0, 0.0), (30.0, 30.0), (3_600.0, 3_600.0), (1e9, DAY), (math.inf, DAY), (-5.0, 0.0)])
def test_remote_wish_is_honoured(wish: float, delay: float) -> None:
    """What a remote asks for is kept exactly, up to a day: no jitter, and our own cap does not shorten it."""
    assert delay == RetryPolicy(max_delay=10.0).delay(1, retry_after=wish)


def test_wish_that_is_no_number_is_no_wish() -> None:
    """A NaN would end as an error in the middle of settling a job."""
    assert RetryPolicy().delay(1, retry_after=math.nan, rng=Highest()) == 2.0


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"soft_time_limit": 60.0, "hard_time_limit": 60.0}, r"soft_time_limit \(60.0\) must be below hard_time_limit \(60.0\)"),
        ({"lease": 2.9}, r"lease \(2.9\) must be at least 3 seconds"),
        ({"retry": RetryPolicy(first_delay=11.0, max_delay=10.0)}, r"retry.first_delay \(11.0\) must not exceed retry.max_delay \(10.0\)"),
        ({"retry": RetryPolicy(first_delay=-1.0)}, "must not be negative"),
        ({"retry": RetryPolicy(factor=0.5)}, "not below 1"),
        ({"retry": RetryPolicy(max_attempts=0)}, "must each be at least 1"),
        ({"retry": RetryPolicy(crash_budget=0)}, "must each be at least 1"),
        ({"canary_every": 0.5}, r"canary_every \(0.5\) must be 0 or at least 1 second"),
        ({"concurrency": 0}, "must each be at least 1"),
    ],
)
def test_contradiction_refuses(policy: dict[str, Any], told: str) -> None:
    """A policy that contradicts itself does not start, and the sentence names the fields."""
    with pytest.raises(SettingsError, match=told):
        Policy(**policy)


def test_default_policy_stands() -> None:
    """The defaults contradict nothing."""
    assert Policy().retry == RetryPolicy()
