"""Publishing, in one place: how a typed message becomes a broker message, and how many wait.

Where broker and ledger are the same Redis, the message is built here and pushed by the ledger's own script, together with the
record. A Celery protocol-2 message needs no I/O to build (https://docs.celeryq.dev/en/stable/internals/protocol.html);
tests/unit/test_bus.py holds ours to Celery's own, field by field.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from kombu.connection import Connection
from kombu.messaging import Producer

from shared import rabbit
from shared.contracts.base import Blob
from shared.contracts.options import Priority
from shared.contracts.registry import Contract
from shared.ledger.record import JobRecord
from shared.line import Line
from shared.settings import ServiceSettings

PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
TAG = "@TAG@"
"""Stands for the delivery tag, which must differ between copies of a message: the ledger's script fills it in."""
DAY = 86_400
NOT_FOUND = "404"
"""AMQP's word for a queue that nobody declared; kombu's other transports use it too."""
_EMBED: dict[str, None] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_EMBEDDED = json.dumps(_EMBED)
_ID = "@ID@"


def queue_name(service: str, priority: Priority, need: str | None = None) -> str:
    """One queue per service and priority: `avatar.high`, `avatar`, `avatar.low`; with a need `avatar.gpu.high` and so on."""
    stem = f"{service}.{need}" if need else service
    return stem if priority == "normal" else f"{stem}.{priority}"


def queue_names(service: str, needs: Iterable[str] = ()) -> tuple[str, ...]:
    """A service's queues, most urgent first; then those of each need, likewise."""
    return tuple(queue_name(service, priority, need) for need in (None, *needs) for priority in PRIORITIES)


def queues_of(contract: Contract) -> tuple[str, ...]:
    """All queues of a contract's service, those of its needs last."""
    return queue_names(contract.name, contract.needs)


def need_of(queue: str, contract: Contract) -> str | None:
    """Which of the contract's needs have this queue; None: it is one that any worker serves."""
    return next((need for need in contract.needs if queue in queue_names(f"{contract.name}.{need}")), None)


def alike(queue: str) -> tuple[str, ...]:
    """The queues for the same machines, `queue` among them, most urgent first."""
    return queue_names(queue.removesuffix(".high").removesuffix(".low"))


def more_urgent(queue: str) -> tuple[str, ...]:
    """The queues for the same machines that go before `queue`, most urgent first."""
    return alike(queue)[: PRIORITIES.index(priority_of(queue))]


def priority_of(queue: str) -> Priority:
    """What a queue's name says."""
    word = queue.rpartition(".")[2]
    return "high" if word == "high" else "low" if word == "low" else "normal"


def transport_options(url: str) -> dict[str, Any]:
    """The options every process gives its broker connection; the same visibility timeout in all of them, or one redelivers for all.

    Redis: kombu notes each message it pops in Redis and strikes it off at the ack, two transactions a job that the worker's loop waits
    out, so that what a dead worker held is pushed again after the visibility timeout. Without `ack_emulation` it does not: a doorbell
    that died with a worker is rung again by the reconciler, within seconds; the timeout is for whoever runs an older worker.
    Sockets time out, for a dead peer must not make a live worker deaf. RabbitMQ needs none: `shared.rabbit` asks for confirms itself,
    many at a time, and kombu's option would have the worker wait for the confirm of each event it sends to dashboards.
    """
    if url.startswith(("redis", "rediss", "sentinel")):
        return {
            "visibility_timeout": DAY,
            "ack_emulation": False,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "queue_order_strategy": "priority",  # the most urgent queue first, always
        }
    return {}


def message(envelope_json: str, *, kind: str, job_id: str, queue: str) -> str:
    """A broker message as it lies in a Redis list: JSON text with `TAG` where the delivery tag goes.

    What is the same for all messages of a kind and queue is written once; an id needs no escaping in JSON.
    """
    body = base64.b64encode(f"[[{envelope_json}], {{}}, {_EMBEDDED}]".encode()).decode()
    return f'{{"body": "{body}", {_frame_text(kind, queue).replace(_ID, job_id)}'


def headers(kind: str, job_id: str) -> dict[str, Any]:
    """Celery's protocol-2 headers: the task's name is the message's kind, its id the job's."""
    return {
        "lang": "py",
        "task": kind,
        "id": job_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": job_id,
        "parent_id": None,
        "argsrepr": "(<envelope>,)",
        "kwargsrepr": "{}",
        "origin": "counterfoil",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }


@lru_cache(maxsize=1_024)
def _frame_text(kind: str, queue: str) -> str:
    return json.dumps(_frame(kind, _ID, queue))[1:]


def _frame(kind: str, job_id: str, queue: str) -> dict[str, Any]:
    return {
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers(kind, job_id),
        "properties": {
            "correlation_id": job_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": TAG,
        },
    }


def envelope_text(*, job_id: str, kind: str, epoch: int, tenant: str, request: str, blob: str, trace: Mapping[str, str]) -> str:
    """An `Envelope` as JSON. `request` is JSON already and goes in as it is; with a `blob` (JSON) it stays out."""
    head = json.dumps({"id": job_id, "kind": kind, "epoch": epoch, "tenant": tenant, "trace": dict(trace)})
    return f'{head[:-1]}, "command": null, "command_blob": {blob}}}' if blob else f'{head[:-1]}, "command": {request}}}'


class Bus:
    """A service's way to its broker, from any thread. Connects when first used. Raises UnavailableError where nobody answers."""

    def __init__(self, service: str, settings: ServiceSettings, needs: Iterable[str] = ()) -> None:
        self.service = service
        self._queues = queue_names(service, needs)
        self.url = settings.broker_url
        self.rings_here = settings.rings_in_ledger
        options = transport_options(self.url)
        # Two, so that whoever asks how the broker fares does not queue behind a batch that is being published.
        self._out = Line(self.url, service, options, self._declare)
        self._look = Line(self.url, service, options, self._declare)

    def bell(self, envelope_json: str, *, kind: str, job_id: str, queue: str) -> str:
        """What the ledger's script pushes; '' where the broker is another server and `ring` does it."""
        return message(envelope_json, kind=kind, job_id=job_id, queue=queue) if self.rings_here else ""

    def publish(self, envelope_json: str, *, kind: str, job_id: str, queue: str) -> None:
        """Publish one doorbell; returns once the broker has it."""
        self._send([letter(envelope_json, kind=kind, job_id=job_id, queue=queue)])

    def ring(self, *records: JobRecord) -> None:
        """Publish the doorbells of jobs that the ledger has; returns once the broker has them all."""
        self._send([_letter_of(record) for record in records])

    def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages wait in each queue; -1 where the ledger's script counts them itself."""
        if self.rings_here:
            return dict.fromkeys(queues, -1)
        return self._look.ask(lambda connection: {queue: self._depth(connection, queue) for queue in queues})

    def depth(self, queue: str) -> int:
        """How many messages wait in `queue`; see `depths`."""
        return self.depths([queue])[queue]

    def fetch_dead(self, keep: Callable[[Any], None], *, most: int = 100) -> int:
        """Hand what the broker itself gave up on to `keep`, message by message; each is the broker's until `keep` returns."""
        if self.rings_here or not rabbit.is_rabbit(self.url):
            return 0
        return self._look.ask(lambda connection: rabbit.fetch_dead(connection, self.service, keep, most))

    def check(self) -> None:
        """Raise UnavailableError unless the broker answers now: opening a channel is a round trip."""
        self._look.ask(lambda connection: connection.channel().close())

    def _send(self, letters: list[rabbit.Letter]) -> None:
        if letters:
            self._out.ask(lambda connection: self._publish(connection, letters))

    def _publish(self, connection: Connection, letters: list[rabbit.Letter]) -> None:
        if rabbit.is_rabbit(self.url):
            rabbit.publish(connection, letters)
            return
        with connection.channel() as channel:
            producer = Producer(channel, auto_declare=False)
            for each in letters:
                producer.publish(**each)

    def _declare(self, connection: Connection) -> None:
        """Whoever comes first makes RabbitMQ's queues: a message to none of them would vanish without a word."""
        if rabbit.is_rabbit(self.url):
            with connection.channel() as channel:
                for each in (rabbit.dead_queue(self.service), *(rabbit.queue(name, self.service) for name in self._queues)):
                    each(channel).declare()

    def _depth(self, connection: Connection, queue: str) -> int:
        channel = connection.channel()
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors as error:
            if str(getattr(error, "reply_code", "")) != NOT_FOUND:
                raise
            self._declare(connection)  # somebody deleted it
            return 0
        finally:
            channel.close()


def letter(envelope_json: str, *, kind: str, job_id: str, queue: str) -> rabbit.Letter:
    """A doorbell for kombu's producer."""
    return {
        "body": json.dumps([[json.loads(envelope_json)], {}, _EMBED]),
        "exchange": "",
        "routing_key": queue,
        "headers": headers(kind, job_id),
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "correlation_id": job_id,
    }


def _letter_of(record: JobRecord) -> rabbit.Letter:
    text = envelope_text(
        job_id=record.id,
        kind=record.kind,
        epoch=record.number("epoch"),
        tenant=record.tenant,
        request=record.text("request") or "null",
        blob=record.text("request_blob"),
        trace=record.carrier,
    )
    return letter(text, kind=record.kind, job_id=record.id, queue=record.text("queue"))


def blob_json(blob: Blob | None) -> str:
    """A blob's JSON, '' for none."""
    return blob.model_dump_json() if blob else ""
