"""The transcoder's failure story on one screen.

What is permanent is decided where it is raised (failures.py, admit.py, verify.py): bad input is never tried again; a full disk, a
killed or hung FFmpeg and an unreachable source are.
"""

from shared.policy import Policy, RetryPolicy

HOUR = 3_600.0

POLICY = Policy(
    retry=RetryPolicy(
        max_attempts=4,  # an attempt may cost hours of CPU: four tell whether it will ever work
        first_delay=10.0,  # a full disk or a silent server needs longer than a second to mend
        factor=4.0,
        max_delay=900.0,
        crash_budget=3,
    ),
    # Longer than any realistic single job (10 GB as a ladder is 5 CPU-hours); the real guards are FFmpeg's watchdog, which bites after a
    # minute without progress, and its CPU limit, which grows with the source's duration and size.
    soft_time_limit=12 * HOUR - 120.0,
    hard_time_limit=12 * HOUR,
    concurrency=1,  # one FFmpeg uses every CPU there is; two would only halve each other
    max_tasks_per_child=100,
    max_memory_per_child=500_000,  # the child itself stays near 100 MB; FFmpeg is a process of its own
    cancel_grace=6.0,  # FFmpeg is killed within TICK (run.py) of the cancel's arrival; a publish of gigabytes may take longer
)
