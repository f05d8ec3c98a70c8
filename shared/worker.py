"""Makes a service's Celery app, in one place: queues, policy, doors and the life of its processes.

Celery carries doorbells and runs processes. What it is not used for: ETA, countdown, retry(), chords, the result backend
(docs/adr/0001). Each setting below says what breaks without it.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery, signals
from celery.schedules import crontab
from kombu.entity import Exchange, Queue

from shared import rabbit
from shared.bus import DAY, queue_names, queues_of, transport_options
from shared.errors import SettingsError
from shared.runtime import attempt, beat, ears, intake, upkeep
from shared.runtime.lifecycle import Lifecycle
from shared.runtime.runtime import Runtime
from shared.service import Handler, Service
from shared.settings import PlatformSettings


def make_app(service: Service) -> Celery:
    """The Celery app of a service. Raises SettingsError where handlers and contract do not match one to one."""
    runtime = Runtime(service)
    handlers = {**service.handlers, **upkeep.handlers(runtime)}
    refuse_mismatch(service, handlers)
    runtime.handlers = handlers
    app = Celery(service.name, broker=service.settings.broker_url, set_as_current=False)
    app.conf.update(settings(service, runtime))
    for kind, handler in handlers.items():
        app.task(name=kind, bind=True, Request=intake.request(runtime), typing=False)(_task(runtime, handler, kind))
    # What only some machines can do is taken by workers that are told to (`--queues avatar.gpu`), and left alone by all others.
    app.amqp.queues.deselect(set(queues_of(service.contract)).difference(queue_names(service.name)))
    _connect(app, Lifecycle(runtime, PlatformSettings().log_level))
    return app


def refuse_mismatch(service: Service, handlers: Mapping[str, Handler]) -> None:
    """Every kind of the contract has exactly one handler, and every handler a kind."""
    kinds = set(service.contract.by_kind)
    for kind in sorted(kinds ^ set(handlers)):
        lacking = "a handler in tasks.py" if kind in kinds else "a command in the contract"
        raise SettingsError(f"{service.name}: the kind {kind!r} lacks {lacking}.")


def settings(service: Service, runtime: Runtime) -> dict[str, Any]:
    """Celery's settings for this service."""
    policy, broker = service.policy, service.settings.broker_url
    on_redis = broker.startswith(("redis", "rediss", "sentinel"))
    return {
        # JSON only: a pickle is a program, and anybody who reaches the broker could run it here.
        "task_serializer": "json",
        "accept_content": ["json"],
        # The ledger has the results; a result backend would be a second truth.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "result_backend": None,
        # Early ack: from the claim on the lease protects the job. Late acks lose and double jobs under SIGKILL (docs/adr/0002).
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,  # the ledger counts crashes; Celery's own redelivery loops without end
        "task_acks_on_failure_or_timeout": True,
        "worker_prefetch_multiplier": 1,
        # Without it a busy worker hoards the next message, and an urgent one waits behind it. On RabbitMQ `Turns` does the same.
        "worker_disable_prefetch": on_redis,
        "broker_transport": intake.redis_transport(runtime) if broker.startswith(("redis://", "rediss://")) else None,
        "broker_transport_options": transport_options(broker),
        "visibility_timeout": DAY,
        "broker_heartbeat": 20,  # RabbitMQ: a broker behind a cut cable would keep a live worker deaf for four minutes
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A lost broker connection is no reason to stop work that the ledger protects.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_queues": [_queue(name, service.name, broker) for name in queues_of(service.contract)],
        "task_default_queue": service.name,
        "task_create_missing_queues": False,
        "worker_consumer": ears.listening(intake.consumer(runtime), runtime),
        "worker_concurrency": service.settings.concurrency or policy.concurrency,
        "task_soft_time_limit": policy.soft_time_limit,  # below the hard one: policy.py refuses anything else
        "task_time_limit": policy.hard_time_limit,
        "worker_max_tasks_per_child": policy.max_tasks_per_child,
        "worker_max_memory_per_child": policy.max_memory_per_child,
        # A child that loads its models for longer would be killed on every respawn after the first crash.
        "worker_proc_alive_timeout": policy.proc_alive_timeout,
        "worker_soft_shutdown_timeout": policy.grace,
        "worker_enable_soft_shutdown_on_idle": True,
        "worker_hijack_root_logger": False,  # structlog writes the lines
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,  # Flower asks for them when it comes; three publishes a job are dear while nobody listens
        "task_send_sent_event": False,
        "enable_utc": True,
        "timezone": "UTC",
        "beat_scheduler": beat.scheduler(runtime),
        "beat_max_loop_interval": 30,
        "beat_schedule": {kind: {"task": kind, "schedule": _cron(line)} for kind, line in upkeep.schedule(runtime).items()},
    }


def _queue(name: str, service: str, broker: str) -> Queue:
    return rabbit.queue(name, service) if rabbit.is_rabbit(broker) else Queue(name, Exchange(""), routing_key=name)


def _cron(line: str) -> crontab:
    minute, hour, day_of_month, month_of_year, day_of_week = line.split()
    return crontab(minute=minute, hour=hour, day_of_month=day_of_month, month_of_year=month_of_year, day_of_week=day_of_week)


def _task(runtime: Runtime, handler: Handler, kind: str) -> Callable[..., None]:
    def task(self: Any, payload: Any = None, *_: Any, **__: Any) -> None:
        queue = str((self.request.delivery_info or {}).get("routing_key") or "")
        attempt.run(runtime, kind, payload, queue=queue, pid=os.getpid())

    task.__doc__ = handler.__doc__
    return task


def _connect(app: Celery, life: Lifecycle) -> None:
    # weak=False: Celery keeps weak references to receivers, and nobody else holds these.
    signals.celeryd_init.connect(life.on_logging, weak=False)  # the worker's first signal, before its first warning
    signals.setup_logging.connect(life.on_logging, weak=False)  # a receiver at all keeps Celery's own logging away
    signals.beat_init.connect(life.on_beat, weak=False)
    signals.worker_init.connect(life.on_init, weak=False)
    signals.worker_ready.connect(life.on_ready, weak=False)
    signals.worker_shutting_down.connect(life.on_stop, weak=False)
    signals.worker_process_init.connect(life.on_child, weak=False)
    signals.worker_process_shutdown.connect(life.on_child_stop, weak=False)
    app.set_default()
