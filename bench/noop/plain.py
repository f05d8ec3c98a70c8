"""The worker that the tutorials teach: late acknowledgement, and Redis as broker and, unless NOOP_RESULTS is 0, as result backend.

Everything else is Celery's default. A job is lost with about one in nine SIGKILLs of a busy worker: that is the comparison.
"""

import os

from celery import Celery

REDIS_URL = os.environ.get("NOOP_REDIS_URL", "redis://localhost:6379/0")
RESULTS = os.environ.get("NOOP_RESULTS", "1") == "1"

app = Celery("noop", broker=REDIS_URL, backend=REDIS_URL if RESULTS else None, set_as_current=False)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=not RESULTS, task_default_queue="noop")


@app.task(name="noop.do")  # type: ignore[untyped-decorator]  # celery ships no types
def do(number: int) -> dict[str, int]:
    """Nothing."""
    return {"number": number}
