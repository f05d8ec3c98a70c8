"""The mailer's failure story on one screen."""

from typing import Final

from shared.contracts.mailer import CollectBounces, MeasureMailer, SweepMailer
from shared.policy import Policy, RetryPolicy

POLICY = Policy(
    # A relay that is down or restarting comes back within minutes: eight tries spread over about half an hour. A retried
    # batch mails only those whom its ack journal does not know, so trying again is always safe.
    retry=RetryPolicy(max_attempts=8, first_delay=2.0, factor=3.0, max_delay=600.0, crash_budget=5),
    # A batch of 250 takes seconds; these are for one that waits for slots under a low rate (see pacing.py).
    soft_time_limit=6 * 3_600.0,
    hard_time_limit=6 * 3_600.0 + 120.0,
    # Rendering is CPU-bound, sending waits: two children keep two cores and eight connections busy.
    concurrency=2,
    # Compiled templates and OpenSSL's sessions go with the child.
    max_tasks_per_child=500,
    max_memory_per_child=600_000,
    # A batch looks for a cancel five times a second and lets mails on the wire finish for about a second.
    cancel_grace=6.0,
)

UPKEEP: Final = {SweepMailer.kind: "30 3 * * *", MeasureMailer.kind: "*/15 * * * *"}
WITH_BOUNCES: Final = {**UPKEEP, CollectBounces.kind: "* * * * *"}
"""The built-in schedules (cron, UTC); bounces are looked at where there is a Maildir for them."""

LONGEST_PACED: Final = 30 * 86_400.0
"""Seconds that a mailing with `rate_per_second` may last by calculation: what takes a month is a mistake in the rate."""
