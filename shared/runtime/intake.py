"""L8: whatever arrives on a queue and is no message of ours becomes one dead letter; the worker is unharmed.

Celery rejects such messages with a log line, which loses them; and a list item that is not even JSON ends kombu's Redis
channel with an exception, which restarts the consumer. Three doors, one answer: bury it, acknowledge it, go on.
"""

import base64
import binascii
import json
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any, ClassVar

from celery.worker import state
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from shared.bus import queues_of
from shared.runtime import attempt
from shared.runtime.runtime import Runtime
from shared.runtime.turns import Turns

SHOWN = 8_192
"""Characters of a malformed message that its dead letter keeps per part: enough to recognise it, too few to fill the ledger."""


def legible(value: Any) -> Any:
    """Any message part as something JSON can hold."""
    if isinstance(value, bytes):
        return value[:SHOWN].decode("utf-8", "backslashreplace")
    return value[:SHOWN] if isinstance(value, str) else value


def plain(headers: Any) -> Any:
    """Headers as JSON has them: AMQP also knows times, bytes and decimals."""
    return json.loads(json.dumps(headers, default=str))


def why_malformed(item: Any) -> str:
    """What keeps a decoded list item from being a kombu message; '' where nothing does."""
    if not isinstance(item, dict) or not isinstance(item.get("properties"), dict) or "delivery_tag" not in item["properties"]:
        return "it is not a broker message: properties.delivery_tag is missing"
    routed = item["properties"].get("delivery_info")
    if not isinstance(routed, dict) or not {"exchange", "routing_key"} <= routed.keys():
        return "it is not a broker message: properties.delivery_info is missing"
    if not isinstance(item.get("headers"), dict) or not isinstance(item.get("body"), str):
        return "it is not a broker message: headers or body is missing"
    if item["properties"].get("body_encoding") == "base64":
        try:
            base64.b64decode(item["body"], validate=True)
        except (binascii.Error, ValueError):
            return "its body is not base64"
    return ""


def why_unfit(headers: Any, payload: Any) -> str:
    """What keeps a decoded message from being a Celery task's, where Celery does not notice in time; '' where nothing does.

    A body of another shape fails in the pool child, when the message is gone; a header of another type ends the consumer's loop.
    """
    if not isinstance(headers, dict) or "task" not in headers:
        return "it names no task"
    if not isinstance(headers.get("id"), str):
        return "it has no id"
    limits = headers.get("timelimit") or [None, None]
    if not isinstance(limits, list) or len(limits) != len(("hard", "soft")) or any(not isinstance(each, int | None) for each in limits):
        return "its time limits are not two numbers"
    match payload:
        case [list(), dict(), dict() | None]:
            return ""
        case _:
            return "its body is not [args, kwargs, embed]"


class LedgerConsumer(Consumer):  # type: ignore[misc]  # celery is untyped
    """Celery's consumer, with the ways to lose a message turned into dead letters, and turns where the broker sends ahead."""

    runtime: ClassVar[Runtime]
    _turns: Turns | None = None

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]  # celery is untyped
        """Celery's steps but one: with quorum queues it declares 28 exchanges and queues for countdowns, which are the ledger's here."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step)

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's pauses grow to 30 s: a broker that is back would wait half a minute for its workers."""
        conn.ensure_connection = partial(conn.ensure_connection, interval_start=1, interval_step=1, interval_max=3)
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """The children are told at once: a short job is over before the reconciler's next look."""
        self.runtime.away.note(True)
        super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Called with each new broker connection: what the last one brought is the broker's again, and comes anew."""
        self.runtime.away.note(False)
        hand_over = partial(self._fit_or_bury, super().create_task_handler(*args, **kwargs))
        if self._turns is not None:
            self.hub.on_tick.discard(self._turns.serve)
        if self.hub is None or self.connection.transport.driver_type != "amqp":
            return hand_over
        turns = self._turns = Turns(queues_of(self.runtime.service.contract), free=self._child_is_free, hand_over=hand_over)
        self.hub.on_tick.add(turns.serve)
        hold = self.runtime.service.settings.hold
        self.hub.call_repeatedly(hold / 4, turns.give_back, hold * 3 / 4)
        return turns.take

    def _fit_or_bury(self, handle: Callable[[Any], None], message: Any) -> None:
        try:
            detail = why_unfit(message.headers, message.payload)
        except (*self.connection_errors, *self.channel_errors):
            raise
        except Exception as error:  # noqa: BLE001 - decoders raise what they like, and here it ends the worker's loop
            detail = f"its body cannot be decoded: {error}"
        if detail:
            self._bury(message, detail)
        else:
            handle(message)

    def _child_is_free(self) -> bool:
        """Celery counts a request as reserved from its hand-over to its end."""
        limit: int = getattr(self.controller, "max_concurrency", None) or self.pool.num_processes
        return len(state.reserved_requests) < limit and state.should_stop is None and state.should_terminate is None

    def _bury(self, message: Any, detail: str) -> None:
        received = {"headers": plain(message.headers), "content_type": message.content_type, "body": legible(message.body)}
        kind = message.headers.get("task", "") if isinstance(message.headers, dict) else ""
        attempt.bury(self.runtime, received, detail, kind=str(kind))
        message.ack()

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """A body that is not what its content type says."""
        self._bury(message, f"its body cannot be decoded: {exc}")

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002 - Celery's signature
        """No task at all."""
        self._bury(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 - Celery's signature
        """Another service's kind, or nobody's."""
        self._bury(message, "no contract of this service has its kind")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 - Celery's signature
        """Headers that Celery refuses."""
        self._bury(message, f"it is not a valid task message: {exc}")


def consumer(runtime: Runtime) -> type[Consumer]:
    """The consumer of one service."""
    return type("ServiceConsumer", (LedgerConsumer,), {"runtime": runtime})


def request(runtime: Runtime) -> type[Request]:
    """Celery's request, which notes why a child is about to be killed."""

    class LedgerRequest(Request):  # type: ignore[misc]  # celery is untyped
        def on_timeout(self, soft: bool, timeout: float) -> None:
            if not soft:
                runtime.explanations[self.worker_pid] = f"it ran over the hard time limit of {timeout:g} seconds"
            super().on_timeout(soft, timeout)

    return LedgerRequest


def redis_transport(runtime: Runtime) -> str:
    """The name under which kombu now knows `_redis_transport(runtime)`: Celery's settings are sent to Flower as JSON, a class is not."""
    name, transport = f"counterfoil-{runtime.service.name}", _redis_transport(runtime)
    TRANSPORT_ALIASES[name] = lambda: transport  # type: ignore[assignment]  # resolve_transport takes a callable as well
    return name


def _redis_transport(runtime: Runtime) -> type[kombu_redis.Transport]:
    """Kombu's Redis transport, which survives a list item that is no message. `_brpop_read` follows kombu 5.7's."""

    class Channel(kombu_redis.Channel):
        def _brpop_read(self, **options: Any) -> bool:
            try:
                try:
                    popped = self.client.parse_response(self.client.connection, "BRPOP", **options)
                except self.connection_errors:
                    self.client.connection.disconnect()
                    raise
                if not popped:
                    raise Empty
                dest = bytes_to_str(popped[0]).rsplit(self.sep, 1)[0]
                self._queue_cycle.rotate(dest)
                self._deliver_or_bury(popped[1], dest)
                return True
            finally:
                self._in_poll: Any = None
                self._flush_brpop_reauth()

        def _deliver_or_bury(self, raw: bytes, dest: str) -> None:
            try:
                item = loads(bytes_to_str(raw))
                detail = why_malformed(item)
            except ValueError:
                item, detail = None, "it is not JSON"
            if detail:
                attempt.bury(runtime, {"queue": dest, "item": legible(raw)}, detail)
            else:
                self.connection._deliver(item, dest)  # noqa: SLF001 - as kombu does

    class Transport(kombu_redis.Transport):
        pass

    Transport.Channel = Channel
    return Transport
