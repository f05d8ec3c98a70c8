"""The life of a worker's processes: what the parent does when it is ready and when it stops, what a child does after its fork."""

import json
import os
import threading
import time
from typing import Any

import redis
import structlog

from shared import metrics, metrics_server, telemetry, trail
from shared.bus import queue_names, queues_of
from shared.errors import SettingsError, UnavailableError
from shared.ledger import calls
from shared.logging import configure
from shared.runtime import checks, guard
from shared.runtime.deaths import Processes
from shared.runtime.keeper import Keeper
from shared.runtime.runtime import Runtime, worker_name

log = structlog.get_logger()
LAST_WORD = 3.0
"""Seconds that Celery has to leave by itself once nothing is held any more."""


class Lifecycle:
    """The handlers of Celery's signals for one service. Connected once, by `shared.worker`."""

    def __init__(self, runtime: Runtime, log_level: str) -> None:
        self._runtime = runtime
        self._level = log_level
        self._keeper: Keeper | None = None
        self._parent = 0

    def on_logging(self, **_: Any) -> None:
        """Celery is about to set up logging: ours instead, in a worker's parent and in Beat."""
        configure(self._runtime.service.name, self._level)

    def on_beat(self, sender: Any, **_: Any) -> None:
        """Beat, about to keep time."""
        log.info("beat_ready", schedules=sorted(sender.app.conf.beat_schedule))

    def on_init(self, sender: Any, **_: Any) -> None:
        """The parent, before it forks: take a name, refuse a ledger that would forget."""
        self._parent = os.getpid()
        self._runtime.worker = worker_name(self._runtime.service.name)
        consumed = set(sender.app.amqp.queues.consume_from)
        self._runtime.queues = tuple(name for name in queues_of(self._runtime.service.contract) if name in consumed)
        trail.begin()
        refuse_eviction(self._runtime)
        if self._runtime.service.preflight is not None:
            self._runtime.service.preflight()

    def on_ready(self, sender: Any, **_: Any) -> None:
        """The parent, once it consumes: tell the world, start keeping."""
        runtime = self._runtime
        runtime.ears.listen(runtime.queues)
        slots = getattr(sender.pool, "num_processes", 1)
        self._keeper = Keeper(runtime, slots=slots, queues=runtime.queues, processes=_processes(sender.pool))
        runtime.ledger.redis.set(f"{runtime.ledger.prefix}catalogue", json.dumps(dict(runtime.service.catalogue())))
        if runtime.service.settings.metrics_port:
            metrics_server.serve(runtime.service.settings.metrics_port, self._collect)
        self._keeper.start()
        log.info("worker_ready", worker=runtime.worker, queues=list(runtime.queues))

    def on_stop(self, **_: Any) -> None:
        """The parent, told to stop: a thread sees the jobs out, for a signal handler must not wait."""
        threading.Thread(target=self._see_out, name="see-out", daemon=True).start()

    def on_child(self, **_: Any) -> None:
        """A child, after its fork: nothing of the parent's connections, a tracer of its own, models in the background."""
        if os.getpid() != self._parent:  # the solo pool's only process is the worker itself; what started it may end
            guard.die_with_parent()
        guard.listen_for_nudges()
        runtime = self._runtime
        runtime.forget_connections()
        configure(runtime.service.name, self._level)
        telemetry.setup(runtime.service.name, runtime.service.settings.home)
        threading.Thread(target=self._begin, name="begin", daemon=True).start()

    def on_child_stop(self, **_: Any) -> None:
        """A child, about to be replaced: its last spans would be lost without this."""
        telemetry.shutdown()

    def _begin(self) -> None:
        self._warm_up()
        try:
            checks.look(self._runtime)
        except UnavailableError as error:
            log.warning("checks_not_noted", detail=str(error))  # the next look at the queues looks again

    def _warm_up(self) -> None:
        service, heard = self._runtime.service, set(self._runtime.queues)
        needs = [need for need in service.contract.needs if heard.intersection(queue_names(f"{service.name}.{need}"))]
        todo = [service.warm_up, *(service.warm_up_for.get(need) for need in needs)]
        cold = False
        for warm_up in (each for each in todo if each is not None):
            started = time.monotonic()
            try:
                warm_up()
            except Exception:
                cold = True
                log.exception("warm_up_failed")  # the first job will meet the same error, and report it as its own
            else:
                log.info("child_warmed_up", seconds=round(time.monotonic() - started, 3))
        if not cold:
            self._runtime.warmth.tell()

    def _see_out(self) -> None:
        runtime = self._runtime
        if self._keeper is not None:
            try:
                self._keeper.stop(runtime.service.policy.grace)
                runtime.ledger.redis.zrem(f"{runtime.ledger.prefix}workers", runtime.worker)
            except Exception:
                log.exception("stop_failed")  # leases run out by themselves
        time.sleep(LAST_WORD)
        os._exit(0)  # a pool whose children were ended may wait for them for ever; the ledger has everything

    def _collect(self) -> list[Any]:
        runtime = self._runtime
        stats = runtime.ledger.run(calls.stats(queues_of(runtime.service.contract)))
        snapshot = metrics.ServiceSnapshot.of(runtime.service.name, stats)
        return [*metrics.families([snapshot]), *metrics_server.process_families(runtime.service.name)]


def _processes(pool: Any) -> Processes:
    """The prefork pool's process objects, as they are at each call; none for the solo pool."""
    return lambda: tuple(getattr(getattr(pool, "_pool", None), "_pool", ()))


def refuse_eviction(runtime: Runtime) -> None:
    """Raise SettingsError where the ledger's server may drop keys: under memory pressure it would forget accepted jobs."""
    try:
        policy = runtime.ledger.redis.config_get("maxmemory-policy").get("maxmemory-policy", "")
    except redis.ResponseError:
        log.warning("eviction_policy_unknown", detail="the server does not answer CONFIG GET; see to it that it is noeviction")
        return
    if policy != "noeviction":
        raise SettingsError(
            f"The ledger's server has maxmemory-policy {policy!r}: it would drop accepted jobs when memory is short. Set it to noeviction."
        )
