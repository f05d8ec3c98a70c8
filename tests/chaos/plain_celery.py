"""The other side: the same load and the same blows on plain Celery, set up as its documentation says for work that must not be lost.

Late acks, reject-on-worker-lost, prefetch 1, publishing retried. On Redis: AOF (fsync always), a visibility timeout of 20 s in place of
the default hour, so that one need not wait as long for redelivery. On RabbitMQ: a quorum queue and publisher confirms.
`celery -A tests.chaos.plain_celery worker`.

What it is spared: its queue is not emptied, because what was in it would be gone, and nobody would need to count; and it stores nothing,
so that no disk can be full.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from celery import Celery

from tests.chaos import marks
from tests.chaos.arena import Arena, arena
from tests.chaos.battle import fight, quiet
from tests.chaos.load import Load
from tests.chaos.storm import Disturbance, What
from tests.chaos.tally import Tally
from tests.probe.sink import Sink
from tests.servers import wait_until

VISIBILITY = 20
PATIENCE = 150.0
"""Seconds without any change until what is missing counts as lost: seven visibility timeouts."""

CAREFUL: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_ignore_result": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry": True,
}
ON_REDIS = {"broker_transport_options": {"visibility_timeout": VISIBILITY, "socket_timeout": 30, "socket_keepalive": True}}
ON_RABBITMQ = {"task_default_queue_type": "quorum", "broker_transport_options": {"confirm_publish": True}, "broker_heartbeat": 20}


def careful(broker: str) -> Celery:
    """The app, as its users and its workers have it."""
    made = Celery("plain", broker=broker, set_as_current=False)
    made.conf.update(CAREFUL | (ON_RABBITMQ if broker.startswith("amqp") else ON_REDIS))
    return made


app = careful(os.environ.get("PLAIN_BROKER_URL", "redis://127.0.0.1:6379/0"))


@app.task(name="plain.charge", bind=True)  # type: ignore[untyped-decorator]  # celery is untyped
def charge(task: Any, job: str, seconds: float, path: str) -> None:
    """What the probe's `charge` does, without a journal to ask."""

    def mark(word: str) -> None:
        with Path(path).open("a") as file:
            file.write(f"{word} {job} {task.request.retries + 1} {os.getpid()} {time.time():.3f}\n")

    mark("began")
    time.sleep(seconds / 2)
    mark("plain")
    Sink(Path(path).parent / "sink").apply(job)
    time.sleep(seconds / 2)
    mark("did")


class Side:
    """Submits and looks."""

    def __init__(self, field: Arena) -> None:
        self._arena = field
        self._app = careful(field.broker or field.url)
        self.load: Load | None = None

    def submit(self, number: int, seconds: float) -> str:
        """`send_task`, which tries again by itself; where even that fails, so do we."""
        job = f"plain_{number}"
        self._app.send_task("plain.charge", (job, seconds, str(self._arena.book.path)), task_id=job)
        return job

    def unfinished(self) -> int:
        """Accepted jobs that have not run to their end."""
        accepted = set(self.load.accepted.copy().values()) if self.load else set()
        return len(accepted - self._arena.book.done())

    def tally(self, seconds: float) -> Tally:
        """Everything counted, from the marks alone."""
        left = self._arena.book.marks()
        accepted = set(self.load.accepted.values()) if self.load else set()
        did = marks.counts(left, "did")
        victims, rescue = marks.rescues(left, self._arena.kills)
        return Tally(
            name="plain Celery",
            accepted=len(accepted),
            accepted_twice=None,
            succeeded=len(accepted & did.keys()),
            lost=len(accepted - did.keys()),
            dead_lettered=None,
            full_disk=None,
            settled_twice=None,
            reran=sum(n > 1 for n in did.values()),
            plain_twice=sum(n > 1 for n in marks.counts(left, "plain").values()),
            once_twice=None,
            victims=victims,
            rescue=[one.seconds for one in rescue],
            counters={},
            seconds=seconds,
        )


def battle(
    folder: Path, storm: Sequence[Disturbance], *, jobs: int, seed: int, workers: int, with_rabbit: bool = False
) -> tuple[Tally, Arena]:
    """The whole of it. There is no gateway, and on RabbitMQ no ledger: their kills fall on a worker, and on the broker."""
    instead: dict[What, What] = {"gateway": "worker", **({"server": "broker"} if with_rabbit else {})}
    spared = [replace(blow, what=instead.get(blow.what, blow.what)) for blow in storm if blow.what not in {"empty", "full"}]

    def env(made: Arena) -> Mapping[str, str]:
        return {"PLAIN_BROKER_URL": made.broker or made.url}

    given: dict[str, Any] = {"queues": ("celery",), "workers": workers, "env": env, "with_rabbit": with_rabbit}
    with arena(folder, app="tests.chaos.plain_celery", **given) as field:
        side = Side(field)
        wait_until(lambda: _ready(field) == workers, "the workers are ready", seconds=90)
        began = time.monotonic()
        side.load = Load(side.submit, jobs=jobs, seed=seed)
        fight(field, side.load, spared, unfinished=side.unfinished)
        quiet(side.unfinished, patience=PATIENCE)
        return side.tally(time.monotonic() - began), field


def _ready(field: Arena) -> int:
    return sum(" ready." in log.read_text() for log in field.folder.glob("worker-*.log"))
