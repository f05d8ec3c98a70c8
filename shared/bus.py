"""Publishing, in one place: how a typed message becomes a broker message, and how many wait.

Where broker and ledger are the same Redis, the message is built here and pushed by the ledger's own script, together with the
record. A Celery protocol-2 message needs no I/O to build (https://docs.celeryq.dev/en/stable/internals/protocol.html);
tests/unit/test_bus.py holds ours to Celery's own, field by field.
"""

import base64
import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.pools import producers

from shared.contracts.base import Blob
from shared.contracts.options import Priority
from shared.errors import UnavailableError
from shared.ledger.record import JobRecord
from shared.settings import ServiceSettings

PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
TAG = "@TAG@"
"""Stands for the delivery tag, which must differ between copies of a message: the ledger's script fills it in."""
DAY = 86_400
NOT_FOUND = "404"
"""AMQP's word for a queue that nobody declared; kombu's other transports use it too."""
AGAIN = {"max_retries": 1, "interval_start": 0.2}
"""One more try, soon: a connection that died while idle is told from a broker that is down. The reconciler has the patience."""
_EMBED: dict[str, None] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_EMBEDDED = json.dumps(_EMBED)
_ID = "@ID@"


def queue_name(service: str, priority: Priority) -> str:
    """One queue per service and priority: `avatar.high`, `avatar`, `avatar.low`."""
    return service if priority == "normal" else f"{service}.{priority}"


def queue_names(service: str) -> tuple[str, ...]:
    """A service's queues, most urgent first."""
    return tuple(queue_name(service, priority) for priority in PRIORITIES)


def transport_options(url: str) -> dict[str, Any]:
    """The options every process gives its broker connection; the same visibility timeout in all of them, or one redelivers for all.

    Redis: a day, because acks are early; the ledger's leases do the rescuing. Sockets time out, for a dead peer must not make a
    live worker deaf. RabbitMQ: a publish counts only once it is confirmed.
    """
    if url.startswith(("redis", "rediss", "sentinel")):
        return {
            "visibility_timeout": DAY,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "queue_order_strategy": "priority",  # the most urgent queue first, always
        }
    return {"confirm_publish": True}


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
    """A service's connection to its broker. Connects when first used. Raises UnavailableError where the broker does not answer."""

    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self.service = service
        self.url = settings.broker_url
        self.rings_here = settings.rings_in_ledger

    @cached_property
    def _connection(self) -> Any:
        return Connection(self.url, transport_options=transport_options(self.url), connect_timeout=5)

    def bell(self, envelope_json: str, *, kind: str, job_id: str, queue: str) -> str:
        """What the ledger's script pushes; '' where the broker is another server and `publish` does it."""
        return message(envelope_json, kind=kind, job_id=job_id, queue=queue) if self.rings_here else ""

    def publish(self, envelope_json: str, *, kind: str, job_id: str, queue: str) -> None:
        """Publish one doorbell; returns once the broker has it."""
        body = json.dumps([[json.loads(envelope_json)], {}, _EMBED])
        try:
            with producers[self._connection].acquire(block=True, timeout=5) as producer:
                producer.publish(
                    body,
                    exchange="",
                    routing_key=queue,
                    headers=headers(kind, job_id),
                    content_type="application/json",
                    content_encoding="utf-8",
                    delivery_mode=2,
                    correlation_id=job_id,
                    retry=True,
                    retry_policy=AGAIN,
                )
        except errors(self._connection) as error:
            raise UnavailableError("broker", f"{self.service}'s broker does not take messages ({type(error).__name__})") from error

    def ring(self, record: JobRecord) -> None:
        """Publish the doorbell of a job that the ledger has."""
        text = envelope_text(
            job_id=record.id,
            kind=record.kind,
            epoch=record.number("epoch"),
            tenant=record.tenant,
            request=record.text("request") or "null",
            blob=record.text("request_blob"),
            trace=record.carrier,
        )
        self.publish(text, kind=record.kind, job_id=record.id, queue=record.text("queue"))

    def depth(self, queue: str) -> int:
        """How many messages wait in `queue`; -1 where the ledger's script counts them itself."""
        if self.rings_here:
            return -1
        try:
            self._connection.ensure_connection(timeout=3, **AGAIN)
            with self._connection.channel() as channel:
                return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except errors(self._connection) as error:
            if str(getattr(error, "reply_code", "")) == NOT_FOUND:
                return 0  # not declared yet: nothing waits there
            raise UnavailableError("broker", f"{self.service}'s broker does not answer ({type(error).__name__})") from error

    def check(self) -> None:
        """Raise UnavailableError unless the broker answers."""
        try:
            self._connection.ensure_connection(timeout=3, **AGAIN)
        except errors(self._connection) as error:
            raise UnavailableError("broker", f"{self.service}'s broker does not answer ({type(error).__name__})") from error


def errors(connection: Any) -> tuple[type[BaseException], ...]:
    """What a broker's client raises where the broker does not answer, or not as asked: each transport has its own."""
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def blob_json(blob: Blob | None) -> str:
    """A blob's JSON, '' for none."""
    return blob.model_dump_json() if blob else ""
