"""How avatar jobs fail, are retried and are limited."""

from shared.policy import Policy, RetryPolicy

POLICY = Policy(
    # Drawing is pure computation on the input: what failed once on its own account fails again. What a retry can mend is
    # the storage (photo in, pictures out), and that comes back within seconds.
    retry=RetryPolicy(max_attempts=4, first_delay=1.0, factor=3.0, max_delay=60.0, crash_budget=2),
    # 16 variants of 2,048 px take some 20 s on a slow core; two minutes are a hang, not work.
    soft_time_limit=120.0,
    hard_time_limit=150.0,
    concurrency=2,
    # librsvg and the models hold no growing state; replacing a child costs a second of model loading.
    max_tasks_per_child=500,
    # A child with everything loaded rests near 150 MB; a painting peaks near 360 MB at 1,024 px and 580 MB at 2,048. The pool looks at
    # the peak, not at what is left: a limit that honest work reaches would cost every such job a new child.
    max_memory_per_child=800_000,
    # One avatar takes well under a second: a stopping worker can let it finish.
    grace=8.0,
    # Handlers look for a cancel between variants; none of them takes 5 s.
    cancel_grace=6.0,
    proc_alive_timeout=60.0,
)
