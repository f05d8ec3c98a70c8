"""The probe's Celery app: `celery -A tests.probe.app worker`."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from celery import signals
from celery.worker.control import control_command
from pydantic_settings import SettingsConfigDict

from shared import telemetry
from shared.errors import PermanentError, StorageError, TransientError
from shared.job import Child, FanOut, Job
from shared.policy import Policy, RetryPolicy
from shared.service import Service
from shared.settings import ServiceSettings
from shared.worker import make_app
from tests.probe.contract import CONTRACT, Act, NextAct, NextProbeResult, ProbeResult
from tests.probe.sink import Sink

RECEIPT = b"charged\n" * 512


class ProbeSettings(ServiceSettings):
    """PROBE_*."""

    model_config = SettingsConfigDict(env_prefix="PROBE_", extra="ignore", frozen=True)

    lease: float = 15.0
    hard_time_limit: float = 3_600.0
    canary_every: float = 10.0
    max_attempts: int = 3
    slow_fork: float = 0.0
    """Seconds that a child takes before it can do anything, as one that loads its models while it starts."""
    warm_up: float = 0.0
    """Seconds of loading in the background."""


def mark(command: Act, job: Job, word: str) -> None:
    """Append one line to the marks file: the side effect that tests count."""
    if command.marks:
        with Path(command.marks).open("a") as file:
            file.write(f"{word} {job.id} {job.attempt} {os.getpid()} {time.time():.3f}\n")


def work(command: Act, job: Job) -> ProbeResult:
    """Sleep in small steps, with progress and checkpoints."""
    mark(command, job, "began")
    started = time.monotonic()
    while (spent := time.monotonic() - started) < command.seconds:
        job.progress(spent / command.seconds, "work", f"{spent:.1f} s")
        job.checkpoint()
        time.sleep(0.02)
    mark(command, job, "did")
    return ProbeResult(said="worked", attempt=job.attempt)


def stuck(command: Act, job: Job) -> ProbeResult:
    """Work on and on in the first attempt; be quick in the next."""
    return work(command.model_copy(update={"seconds": 600.0}) if job.attempt == 1 else command, job)


def spin(command: Act, job: Job) -> ProbeResult:
    """Burn the CPU without ever looking up."""
    mark(command, job, "began")
    deadline = time.monotonic() + command.seconds
    while time.monotonic() < deadline:
        sum(range(1_000))
    return ProbeResult(said="spun", attempt=job.attempt)


def flaky(command: Act, job: Job) -> ProbeResult:
    """Fail until attempt `until_attempt`; the remote asks for `seconds` of patience, where that is not 0."""
    if job.attempt < command.until_attempt:
        raise TransientError("not yet", retry_after=command.seconds or None)
    return ProbeResult(said="at last", attempt=job.attempt)


def refuse(_command: Act, _job: Job) -> ProbeResult:
    """Fail for good."""
    raise PermanentError("the seconds are of the wrong kind", pointer="/seconds")


def kill(command: Act, job: Job) -> ProbeResult:
    """Take the process down."""
    mark(command, job, "began")
    os.kill(os.getpid(), signal.SIGKILL)
    return ProbeResult(said="never")


def sing(command: Act, job: Job) -> ProbeResult:
    """Say which tempo was understood, if this release knows of any."""
    if isinstance(command, NextAct):
        return NextProbeResult(said="sang", attempt=job.attempt, tempo=command.tempo)
    return ProbeResult(said="sang", attempt=job.attempt)


def segfault(command: Act, job: Job) -> ProbeResult:
    """Die as a faulty library does, some way into the work."""
    with telemetry.step("draw picture"):
        job.progress(0.43, "draw")
        time.sleep(command.seconds)
        os.kill(os.getpid(), signal.SIGSEGV)
    return ProbeResult(said="never")


def stubborn(command: Act, job: Job) -> ProbeResult:
    """As `spin`, and deaf to the soft time limit, as native code is."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    return spin(command, job)


def leave(_command: Act, job: Job) -> ProbeResult:
    """End the process as a library does that calls exit(3); only the first attempt tells how far it is."""
    if job.attempt == 1:
        job.progress(0.7, "begin")
    os._exit(3)


def fan(command: Act, job: Job) -> ProbeResult | FanOut:
    """Leave the work to `parts` children."""
    if (children := job.children()) is None:
        return FanOut([Child(Act(what=command.part, seconds=command.seconds, marks=command.marks)) for _ in range(command.parts)])
    return ProbeResult(said="gathered", attempt=job.attempt, children=[child.state for child in children])


def audit(command: Act, job: Job) -> ProbeResult | FanOut:
    """As `fan`, and settles up after a cancel, at try number `until_attempt`."""
    if (children := job.children()) is None:
        parts = [Child(Act(what=command.part, seconds=command.seconds, marks=command.marks)) for _ in range(command.parts)]
        return FanOut(parts, on_failure="count", settles=True)
    mark(command, job, "tried")
    if Path(command.marks).read_text().count(f"tried {job.id}") < command.until_attempt:
        raise TransientError("the books are away")
    return ProbeResult(said="settled", attempt=job.attempt, children=[child.state for child in children])


def charge(command: Act, job: Job) -> ProbeResult:
    """Work, store a receipt, then the same effect twice: plainly, and through the journal; then work on: a kill may find both done."""
    mark(command, job, "began")
    time.sleep(command.seconds / 2)
    try:
        job.publish("receipt.txt", RECEIPT, "text/plain")
    except StorageError:
        mark(command, job, "left")
        raise
    mark(command, job, "plain")
    bank = Sink(Path(command.marks).parent / "sink")
    with job.once("charge") as effect:
        if effect.fate == "open" or (effect.fate == "unknown" and not bank.has(job.id)):
            bank.apply(job.id)
    time.sleep(command.seconds / 2)
    mark(command, job, "did")
    return ProbeResult(said=effect.fate, attempt=job.attempt)


ACTS: Mapping[str, Callable[[Act, Job], ProbeResult | FanOut]] = {
    "work": work,
    "stuck": stuck,
    "spin": spin,
    "flaky": flaky,
    "refuse": refuse,
    "kill": kill,
    "sing": sing,
    "segfault": segfault,
    "stubborn": stubborn,
    "leave": leave,
    "fan": fan,
    "audit": audit,
    "charge": charge,
}


def act(command: Act, job: Job) -> ProbeResult | FanOut:
    """Do as the command says."""
    return ACTS[command.what](command, job)


settings = ProbeSettings()
policy = Policy(
    retry=RetryPolicy(max_attempts=settings.max_attempts, first_delay=0.1, max_delay=1.0, crash_budget=3),
    soft_time_limit=settings.hard_time_limit - 1,
    hard_time_limit=settings.hard_time_limit,
    concurrency=2,
    lease=settings.lease,
    grace=3.0,
    cancel_grace=2.0,
    canary_every=settings.canary_every,
)


@control_command(args=[("seconds", float)])  # type: ignore[untyped-decorator]  # celery is untyped
def nap(_state: Any, seconds: float) -> None:
    """Hold up the worker's loop: its process lives, and hears nothing."""
    time.sleep(seconds)


def load(**_: Any) -> None:
    """Load models, slowly."""
    time.sleep(settings.slow_fork)


signals.worker_process_init.connect(load, weak=False)
app = make_app(Service(CONTRACT, policy, settings, {Act.kind: act}, warm_up=lambda: time.sleep(settings.warm_up)))
