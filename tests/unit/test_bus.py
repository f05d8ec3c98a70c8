"""Our broker message is Celery's own, field by field, and nothing that users send can break its frame."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from kombu.entity import Queue

from shared.bus import (
    DAY,
    TAG,
    Bus,
    blob_json,
    envelope_text,
    message,
    more_urgent,
    need_of,
    queue_name,
    queue_names,
    queues_of,
    transport_options,
)
from shared.contracts.avatar import CONTRACT as AVATAR
from shared.contracts.base import Blob
from shared.contracts.envelope import Envelope
from shared.ledger.record import JobRecord
from shared.settings import ServiceSettings

KIND = "avatar.generate.v1"
JOB = "avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX"
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
PROMPTS = [
    "a robot",
    TAG,
    f'"{TAG}", "delivery_tag": "{TAG}"',
    '"}]], {}, {}]\\" \\\\',
    "Grüße ☕ 𝔘𝔫𝔦 \u2028\u2029",
    "\x00\x1b[31m\r\n\t",
    "{{ 7*7 }} %s {0} $(id)",
]


def envelope(prompt: str, *, blob: str = "") -> str:
    """An envelope as the gateway writes it."""
    request = json.dumps({"prompt": prompt}, ensure_ascii=False)
    return envelope_text(job_id=JOB, kind=KIND, epoch=1, tenant="default", request=request, blob=blob, trace=TRACE)


def ours(prompt: str = "a robot") -> str:
    """A message as the ledger's script gets it."""
    return message(envelope(prompt), kind=KIND, job_id=JOB, queue="avatar.high")


def body_of(raw: str) -> Any:
    """What Celery would decode."""
    return json.loads(base64.b64decode(json.loads(raw)["body"]))


@pytest.fixture
def celery_app() -> Iterator[Celery]:
    """An app with the settings that shape a message, over kombu's virtual transport in memory."""
    app = Celery("bus", broker="memory://", set_as_current=False)
    app.conf.update(
        task_serializer="json", accept_content=["json"], task_ignore_result=True, result_backend=None, task_queues=[Queue("avatar.high")]
    )
    yield app
    app.close()


def from_celery(app: Celery) -> dict[str, Any]:
    """The same command sent by Celery, as it lies in kombu's queue."""
    arguments = [json.loads(envelope("a robot"))]
    app.send_task(KIND, args=arguments, task_id=JOB, queue="avatar.high", ignore_result=True)
    with app.connection_for_write() as connection, connection.channel() as channel:
        return dict(channel._get("avatar.high"))


def test_message_is_celerys_own_field_by_field(celery_app: Celery) -> None:
    """Frame, headers, properties and body are what Celery and kombu make, but for the tag, the origin, the repr and the empty reply_to."""
    theirs, made = from_celery(celery_app), json.loads(ours())
    their_body = json.loads(base64.b64decode(theirs.pop("body")))
    del made["body"]
    free = {"origin", "argsrepr"}
    their_headers, our_headers = theirs.pop("headers"), made.pop("headers")
    their_properties, our_properties = theirs.pop("properties"), made.pop("properties")

    assert their_body == body_of(ours())
    assert set(their_headers) == set(our_headers)
    assert {name: their_headers[name] for name in set(their_headers) - free} == {
        name: our_headers[name] for name in set(our_headers) - free
    }
    assert set(their_properties) == set(our_properties)
    their_tag = their_properties.pop("delivery_tag")
    assert isinstance(their_tag, str)
    assert our_properties.pop("delivery_tag") == TAG
    their_properties.pop("reply_to")
    assert our_properties.pop("reply_to") == ""
    assert their_properties == our_properties
    assert theirs == made


def test_message_has_what_as_task_v2_makes(celery_app: Celery) -> None:
    """Protocol 2 by Celery's own builder: the same headers, the same correlation id, the same body."""
    arguments = [json.loads(envelope("a robot"))]
    task = celery_app.amqp.as_task_v2(
        JOB, KIND, arguments, {}, ignore_result=True, origin="counterfoil", argsrepr="(<envelope>,)", create_sent_event=False
    )
    made = json.loads(ours())

    assert task.headers == made["headers"]
    assert task.properties == {name: made["properties"][name] for name in ("correlation_id", "reply_to")}
    assert json.loads(json.dumps(task.body)) == body_of(ours())


@pytest.mark.parametrize("prompt", PROMPTS)
def test_hostile_content_survives(prompt: str) -> None:
    """Quotes, control characters, other scripts and the tag's own placeholder arrive as they were sent, in one message."""
    raw = ours(prompt)
    received = Envelope.model_validate(body_of(raw)[0][0])

    assert {"prompt": prompt} == received.command
    assert (JOB, KIND, 1, "default", TRACE) == (received.id, received.kind, received.epoch, received.tenant, received.trace)
    assert raw.count(TAG) == 1


def test_script_fills_in_the_tag() -> None:
    """What the ledger's script replaces is the delivery tag and nothing else."""
    filled = ours(TAG).replace(TAG, f"{JOB}.17", 1)

    assert json.loads(filled)["properties"]["delivery_tag"] == f"{JOB}.17"
    assert {"prompt": TAG} == body_of(filled)[0][0]["command"]


def test_large_command_stays_out_of_the_envelope() -> None:
    """With a reference the command is null, and the reference is the blob."""
    blob = Blob(key="jobs/x/request.json", bytes=70_000, sha256="00")
    received = Envelope.model_validate_json(envelope("a robot", blob=blob_json(blob)))

    assert received.command is None
    assert blob == received.command_blob
    assert blob_json(None) == ""


def test_published_message_is_the_same(celery_app: Celery) -> None:
    """Where the broker is another server, `ring` sends what the script would have pushed, made from the ledger's record."""
    bus = Bus("avatar", ServiceSettings.model_construct(broker_url="memory://", redis_url="redis://127.0.0.1"))
    record = JobRecord(
        JOB,
        {
            "kind": KIND,
            "tenant": "default",
            "epoch": "1",
            "queue": "avatar.high",
            "request": '{"prompt":"a robot"}',
            "trace": json.dumps(TRACE),
        },
    )
    with celery_app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_declare("avatar.high")
        channel.queue_purge("avatar.high")
        bus.ring(record)
        waiting = [bus.depth("avatar.high"), bus.depth("avatar.never-declared")]
        sent, made = dict(channel._get("avatar.high")), json.loads(ours())

    assert [1, 0] == waiting
    assert bus.bell(envelope("a robot"), kind=KIND, job_id=JOB, queue="avatar.high") == ""
    assert body_of(ours()) == body_of(json.dumps(sent))
    assert made["headers"] == sent["headers"]
    assert (made["content-type"], made["content-encoding"]) == (sent["content-type"], sent["content-encoding"])
    assert {**made["properties"], "delivery_tag": "", "reply_to": ""} == {"reply_to": "", **sent["properties"], "delivery_tag": ""}


def test_queues_by_priority() -> None:
    """One queue for each priority, the most urgent first; the normal one has the service's name."""
    assert queue_names("avatar") == ("avatar.high", "avatar", "avatar.low")
    assert queue_name("avatar", "normal") == "avatar"


def test_a_need_has_queues_of_its_own() -> None:
    """One for each priority, after the ordinary ones; neither kind goes before the other."""
    assert queues_of(AVATAR) == (*queue_names("avatar"), "avatar.gpu.high", "avatar.gpu", "avatar.gpu.low")
    assert (queue_name("avatar", "normal", "gpu"), queue_name("avatar", "low", "gpu")) == ("avatar.gpu", "avatar.gpu.low")
    assert ["gpu"] * 3 + [None] * 3 == [need_of(queue, AVATAR) for queue in reversed(queues_of(AVATAR))]
    assert (("avatar.gpu.high", "avatar.gpu"), ("avatar.high",), ()) == tuple(
        map(more_urgent, ("avatar.gpu.low", "avatar", "avatar.gpu.high"))
    )


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h/0", "sentinel://h:26379/0"])
def test_redis_connections_notice_a_dead_peer(url: str) -> None:
    """A day of visibility, sockets that time out, the most urgent queue first: the same in every process."""
    options = transport_options(url)

    assert DAY == options["visibility_timeout"]
    assert options["queue_order_strategy"] == "priority"
    assert min(options[name] for name in ("socket_timeout", "socket_connect_timeout", "health_check_interval")) > 0


def test_rabbitmq_needs_no_options() -> None:
    """Confirms are asked for where messages are published; kombu's option would have a worker wait at each event for dashboards."""
    assert transport_options("amqp://h//") == {}
