"""Where it happens: a server with its proxy, supervised workers, and the hand that strikes them. The same for both sides."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import amqp
import redis
import structlog

from shared.errors import UnavailableError
from tests.chaos import disk, marks
from tests.chaos.proxy import Proxy
from tests.chaos.storm import Disturbance, What
from tests.chaos.supervised import Supervised, send
from tests.rabbits import Rabbit, rabbit
from tests.servers import Server, redis_server, running

log = structlog.get_logger()
T = TypeVar("T")
BUSY_WITHIN = 5.0
COMPANY_WITHIN = 40.0
FREEZE = 19.0
"""Seconds: past the lease of 15, so that the sleeper wakes as a zombie."""
FULL_FOR = 4.0
"""Seconds for which the storage has no room."""


@dataclass
class Arena:
    """The processes of one side."""

    name: str
    folder: Path
    server: Server
    proxy: Proxy
    queues: Sequence[str]
    workers: list[Supervised] = field(default_factory=list)
    gateway: Supervised | None = None
    rabbit: Rabbit | None = None
    rabbit_proxy: Proxy | None = None
    disk: Path | None = None
    """Where the storage lies, if it can be filled."""
    kills: list[marks.Kill] = field(default_factory=list)
    struck: dict[What, int] = field(default_factory=dict)
    history: list[tuple[float, What]] = field(default_factory=list)
    """Every blow, and when it fell (Unix seconds)."""

    def __post_init__(self) -> None:
        self.book = marks.Book(self.folder / "marks")

    @property
    def url(self) -> str:
        """The server as its users reach it: through the proxy."""
        return f"redis://127.0.0.1:{self.proxy.port}/0"

    @property
    def direct(self) -> str:
        """The server as the referee reaches it."""
        return f"redis://127.0.0.1:{self.server.port}/0"

    @property
    def broker(self) -> str:
        """RabbitMQ as its users reach it; '' where the ledger's server is the broker."""
        return f"amqp://guest:guest@127.0.0.1:{self.rabbit_proxy.port}//" if self.rabbit_proxy else ""

    def strike(self, what: Disturbance) -> None:
        """Let it happen, and note what it took."""
        self.struck[what.what] = self.struck.get(what.what, 0) + 1
        self.history.append((time.time(), what.what))
        getattr(self, f"_{what.what}")(what.pick)

    def _catch(self, pick: float) -> tuple[Supervised, list[int], list[int]]:
        """A worker in the middle of a job, held by SIGSTOP: it, its family, and who of them is at work (nobody after 5 s)."""
        deadline = time.monotonic() + BUSY_WITHIN
        while True:
            awake = [worker for worker in self.workers if not worker.asleep] or self.workers
            first = int(pick * len(awake))
            for worker in awake[first:] + awake[:first]:
                family = worker.halt()
                at_work = marks.busy(self.book.marks())
                caught = [pid for pid in family[1:] if pid in at_work]
                if caught or time.monotonic() > deadline:
                    return worker, family, caught
                worker.resume(family)
            time.sleep(0.02)

    def _company(self) -> None:
        """Wait until two workers are up and awake: nobody can be rescued while nobody is there."""
        deadline = time.monotonic() + COMPANY_WITHIN
        while sum(not worker.asleep and len(worker.family()) > 1 for worker in self.workers) < min(2, len(self.workers)):
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def _worker(self, pick: float) -> None:
        self._company()
        worker, family, _ = self._catch(pick)
        at = time.time()
        worker.kill()
        worker.resume(family[1:])  # what becomes of its children is their own affair
        self.kills.append(marks.Kill(at, frozenset(family)))

    def _child(self, pick: float) -> None:
        worker, family, caught = self._catch(pick)
        chosen = caught or family[1:]
        if chosen:
            pid, at = chosen[int(pick * len(chosen))], time.time()
            send(pid, signal.SIGKILL)
            self.kills.append(marks.Kill(at, frozenset({pid})))
        worker.resume(family)

    def _gateway(self, _pick: float) -> None:
        if self.gateway is not None:
            self.gateway.kill()

    def _server(self, _pick: float) -> None:
        self.server.restart(signal.SIGKILL)

    def _freeze(self, pick: float) -> None:
        self._company()
        worker, family, _ = self._catch(pick)
        worker.resume(family, after=FREEZE)

    def _broker(self, _pick: float) -> None:
        if self.rabbit is not None:
            self.rabbit.server.restart(signal.SIGKILL)

    def _empty(self, _pick: float) -> None:
        insist(self._purge if self.rabbit else lambda: redis.Redis.from_url(self.direct).delete(*self.queues))

    def _purge(self) -> None:
        assert self.rabbit is not None, "there is no RabbitMQ to purge"
        channel = self.rabbit.channel()
        try:
            for queue in self.queues:
                channel.queue_purge(queue)
        finally:
            channel.connection.close()

    def _full(self, _pick: float) -> None:
        if self.disk is not None:
            ballast = disk.fill(self.disk)
            threading.Timer(FULL_FOR, ballast.unlink, kwargs={"missing_ok": True}).start()

    def _cut(self, _pick: float) -> None:
        for proxy in (self.proxy, self.rabbit_proxy):
            if proxy is not None:
                proxy.cut()


def insist(do: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Do it, again and again while the server is being restarted."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return do()
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, UnavailableError, amqp.AMQPError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def arena(
    folder: Path,
    *,
    app: str,
    queues: Sequence[str],
    workers: int,
    env: Callable[[Arena], Mapping[str, str]],
    with_rabbit: bool = False,
    small_disk_for: int = 0,
) -> Iterator[Arena]:
    """A server with AOF (fsync always), its proxy, and `workers` supervised Celery workers of `app` with two children each.

    `small_disk_for`: the storage lies on a disk of its own with room for so many jobs; 0: it does not.
    """
    with ExitStack() as stack:
        server = stack.enter_context(running(redis_server(folder / "server", appendonly=True)))
        made = Arena(app, folder, server, stack.enter_context(Proxy(server.port)), queues)
        if small_disk_for:
            made.disk = stack.enter_context(disk.small(folder / "storage", jobs=small_disk_for))
        if with_rabbit:
            made.rabbit = stack.enter_context(rabbit(folder / "rabbit"))
            made.rabbit_proxy = stack.enter_context(Proxy(made.rabbit.server.port))
        for number in range(workers):
            command = [sys.executable, "-m", "celery", "-A", app, "worker", "--loglevel", "info", "-c", "2", "-n", f"w{number}@%h"]
            command += ["--without-gossip", "--without-mingle"]
            one = Supervised(command, env=env(made), log=folder / f"worker-{number}.log")
            made.workers.append(stack.enter_context(one))
        yield made
