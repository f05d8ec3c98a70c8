"""A service's failure story as one frozen value. Contradictions refuse to start with a sentence.

Shape after Temporal's RetryPolicy: few fields, each with its default said in words. Delays are full jitter (Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015): uniform between 0 and the capped exponential.
"""

import math
import random
from dataclasses import dataclass, field

from shared.errors import SettingsError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed attempt is tried again. All times in seconds."""

    max_attempts: int = 5
    """Errors until the job is dead-lettered as `exhausted`; a user's `options.max_attempts` goes before it."""
    first_delay: float = 2.0
    factor: float = 2.0
    max_delay: float = 600.0
    crash_budget: int = 3
    """Lost workers until the job is dead-lettered as `worker_lost`: apart from errors, for a crash is rarely the job's fault."""

    def delay(self, errors: int, *, retry_after: float | None = None, rng: random.Random | None = None) -> float:
        """Seconds to wait after error number `errors` (1 = the first); a remote's `retry_after` is honoured, capped."""
        if retry_after is not None and not math.isnan(retry_after):
            return min(max(retry_after, 0.0), max(self.max_delay, 86_400.0))
        steps = min(max(errors - 1, 0), 64)  # far above every cap that makes sense, far below what overflows
        ceiling = min(self.max_delay, self.first_delay * self.factor**steps)
        return (rng or random).uniform(0.0, ceiling)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything about how a service's jobs are run. Times in seconds, memory in kilobytes."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    soft_time_limit: float = 3_300.0
    """The handler gets SoftTimeLimitExceeded and may tidy up; it counts as a retryable error."""
    hard_time_limit: float = 3_600.0
    """The child is killed; it counts as a crash."""
    concurrency: int = 2
    max_tasks_per_child: int = 200
    max_memory_per_child: int = 1_000_000
    """Checked between jobs: a child above it is replaced after the job it is on."""
    lease: float = 15.0
    grace: float = 8.0
    """How long a stopping worker lets its jobs run on before it gives them back, uncharged."""
    cancel_grace: float = 6.0
    """How long a cancelled job that does not cooperate may run on before its process is killed."""
    proc_alive_timeout: float = 60.0
    """How long a new pool child may take to load its models before Celery thinks it dead."""

    canary_every: float = 10.0
    """Between two rounds of canaries, which find workers that are up and hear nothing (four missed rounds); at least 1, or 0: none."""

    def __post_init__(self) -> None:
        """Refuse contradictions at import, where a deployer sees them, not at the first failure."""
        if self.soft_time_limit >= self.hard_time_limit:
            raise SettingsError(
                f"soft_time_limit ({self.soft_time_limit}) must be below hard_time_limit ({self.hard_time_limit}): "
                "otherwise the child is killed before it can tidy up. Both are in the service's policy.py."
            )
        if self.lease < 3:  # noqa: PLR2004 - three renewals, one a second
            raise SettingsError(f"lease ({self.lease}) must be at least 3 seconds: it is renewed once a second and may miss two.")
        if 0 < self.canary_every < 1:
            raise SettingsError(
                f"canary_every ({self.canary_every}) must be 0 or at least 1 second: the reconciler sends them, once a second."
            )
        if self.retry.first_delay > self.retry.max_delay:
            raise SettingsError(f"retry.first_delay ({self.retry.first_delay}) must not exceed retry.max_delay ({self.retry.max_delay}).")
        if self.retry.first_delay < 0 or self.retry.factor < 1:
            raise SettingsError(
                f"retry.first_delay ({self.retry.first_delay}) must not be negative and retry.factor ({self.retry.factor}) not below 1: "
                "delays would shrink with every failure."
            )
        if self.retry.max_attempts < 1 or self.retry.crash_budget < 1 or self.concurrency < 1:
            raise SettingsError("retry.max_attempts, retry.crash_budget and concurrency must each be at least 1.")
