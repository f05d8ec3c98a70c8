"""The last run of a cancelled parent, which only settles up (`FanOut.settles`).

Nobody runs it again once it has failed: the job is canceled, and what it had to say is lost. So what may pass (a storage that is
away) is tried again here, after the delays of the service's policy, while the lease is kept.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from shared.ledger.record import JobRecord
from shared.runtime.handle import JobHandle
from shared.runtime.outcome import Failed, Outcome
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
LONGEST = 10.0
"""Seconds between two tries, at most: a worker's child is held meanwhile."""

Perform = Callable[[Runtime, JobRecord, JobHandle], Outcome]


def carried_out(runtime: Runtime, record: JobRecord, path: Path, perform: Perform) -> tuple[JobHandle, Outcome]:
    """The attempt, and how it ended; of one that settles up, after at most the policy's number of tries."""
    job, retry = JobHandle(runtime, record, path), runtime.service.policy.retry
    ended, tries = perform(runtime, record, job), 1
    while job.canceled and isinstance(ended, Failed) and ended.retryable and tries < retry.max_attempts:
        log.warning("settling_failed", tries=tries, detail=ended.error.get("detail"))
        time.sleep(min(LONGEST, retry.delay(tries, retry_after=ended.retry_after)))
        shutil.rmtree(path, ignore_errors=True)
        job, tries = JobHandle(runtime, record, path), tries + 1
        ended = perform(runtime, record, job)
    return job, ended
