"""The worker's parent process keeps its children's jobs: renews leases, notices dead children, delivers cancels.

A thread beside Celery's loop. The parent does no domain work, so that no CPU-bound code can starve it; a child's own thread
could not promise that. Twice a second, because a dead child's job is to be taken back within two.
"""

import os
import signal
import socket
import threading
import time

import psutil
import structlog

from shared.contracts.states import State
from shared.errors import StaleTokenError, UnavailableError
from shared.ledger import calls
from shared.ledger.calls import Held
from shared.runtime.deaths import Deaths, Processes
from shared.runtime.reconciler import Reconciler
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
BEAT = 0.5


def alive(pid: int) -> bool:
    """Whether `pid` is a living child of this process (or this process itself, in the solo pool)."""
    if pid == os.getpid():
        return True
    try:
        process = psutil.Process(pid)
        return process.ppid() == os.getpid() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Keeper(threading.Thread):
    """One per worker. `slots` and `queues` are told to whoever looks at /v1/services."""

    def __init__(self, runtime: Runtime, *, slots: int, queues: tuple[str, ...], processes: Processes = tuple) -> None:
        super().__init__(name="keeper", daemon=True)
        self._runtime = runtime
        self._info = {
            "name": runtime.worker,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slots": slots,
            "queues": list(queues),
            "started_at": int(time.time() * 1000),
            "canary_every": runtime.service.policy.canary_every,
            "caps": list(runtime.service.settings.caps),
        }
        self._slots = slots
        self._held = 0
        self._asked: dict[tuple[str, int], float] = {}
        self._stopping = threading.Event()
        self._deaths = Deaths(processes)
        self._processes = processes
        self._reconciler = Reconciler(runtime)

    def run(self) -> None:
        """Beat until told to stop; an unreachable ledger is waited out, for leases are measured by its clock, not ours."""
        self._reconciler.start()
        while not self._stopping.wait(BEAT):
            try:
                self.beat()
            except UnavailableError as error:
                log.warning("heartbeat_missed", detail=str(error))
            except Exception:
                log.exception("heartbeat_failed")

    def beat(self) -> list[Held]:
        """Once: renew, bury the dead, deliver cancels."""
        runtime = self._runtime
        lease_ms = int(runtime.service.policy.lease * 1000)
        heard = runtime.ears.report(held=self._held, slots=self._slots)
        held = runtime.ledger.run(calls.renew(runtime.worker, lease_ms=lease_ms, info={**self._info, **heard, "warm": self._warm()}))
        self._held = len(held)
        self._deaths.begin()
        self._deaths.forget_all_but(job.pid for job in held)
        for job in held:
            if not alive(job.pid):
                self._lose(job)
                continue
            self._deaths.saw(job.pid)
            if job.state is State.CANCELING:
                self._press(job)
        self._asked = {key: at for key, at in self._asked.items() if any((job.id, job.token) == key for job in held)}
        return held

    def _warm(self) -> int:
        """Processes that have loaded everything; the solo pool has none but this."""
        return self._runtime.warmth.count([process.pid for process in self._processes()] or [os.getpid()])

    def stop(self, grace: float) -> None:
        """Wait for the jobs to end, at most `grace` seconds, renewing on; then give back what is left, uncharged, and end its processes."""
        deadline = time.monotonic() + grace
        self._runtime.ears.draining = True
        self._runtime.away.close()
        held = self.beat()
        while held and time.monotonic() < deadline:
            time.sleep(BEAT / 2)
            held = self.beat()
        self._stopping.set()
        for job in held:
            self._give_back(job)
        self._reconciler.stop()

    def _lose(self, job: Held) -> None:
        why = self._deaths.explain(job.pid, self._runtime.explanations.pop(job.pid, ""))
        log.error("child_lost", job=job.id, pid=job.pid, **why)
        self._write(calls.lose(job.id, job.token, budget=self._runtime.service.policy.retry.crash_budget, why=why))

    def _press(self, job: Held) -> None:
        """Nudge a job that is to stop; kill one that does not listen."""
        asked = self._asked.setdefault((job.id, job.token), time.monotonic())
        if job.pid == os.getpid() or time.monotonic() - asked < self._runtime.service.policy.cancel_grace:
            os.kill(job.pid, signal.SIGUSR2)
        else:
            log.warning("child_killed", job=job.id, pid=job.pid, why="it did not stop when the job was cancelled")
            os.kill(job.pid, signal.SIGKILL)
            self._write(calls.canceled(job.id, job.token))

    def _give_back(self, job: Held) -> None:
        log.warning("job_given_back", job=job.id)
        if job.pid != os.getpid() and alive(job.pid):
            os.kill(job.pid, signal.SIGKILL)
        self._write(calls.release(job.id, job.token, "its worker was stopped"))

    def _write(self, call: calls.Call[State]) -> None:
        try:
            self._runtime.ledger.run(call)
        except StaleTokenError:
            log.info("job_moved_on")  # it ended by itself in the meantime
