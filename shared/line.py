"""A kept connection to a broker, for one thing at a time, from any thread.

Kombu's connections are not made for two threads at once, notice a dead server only when they are used, and wait for ever for one
that hangs. Here each use holds a lock, a kept connection that broke is replaced once, and no answer takes longer than `PATIENCE`.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kombu.connection import Connection
from kombu.exceptions import KombuError

from shared.errors import UnavailableError

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds until a broker that took the connection and says nothing counts as absent."""
_opened: set[Connection] = set()
"""Kept alive on purpose: py-amqp shuts a socket down when it is collected, and after a fork the socket is the parent's, too."""


class Line:
    """Connects when first used, and calls `on_open` with each new connection. Raises UnavailableError where nobody answers."""

    def __init__(self, url: str, owner: str, options: dict[str, Any], on_open: Callable[[Connection], None]) -> None:
        self._url = url
        self._owner = owner
        self._options = options
        self._on_open = on_open
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def ask(self, what: Callable[[Connection], T]) -> T:
        """What `what` makes of a live connection. It may be called twice, so it must be a thing that can be repeated."""
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(*errors(self._connection)):  # it died while idle: the next one tells what is the matter
                    return what(self._connection)
                self._drop()
            connection = Connection(self._url, transport_options=self._options, connect_timeout=5)
            try:
                connection.ensure_connection(max_retries=1, interval_start=0.1)
                self._connection = connection
                _opened.add(connection)
                _limit(connection)
                self._on_open(connection)
                return what(connection)
            except errors(connection) as error:
                self._drop()
                raise UnavailableError("broker", f"{self._owner}'s broker does not answer ({type(error).__name__})") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _opened.discard(connection)
            with contextlib.suppress(Exception):  # it is broken already: nothing it says on closing can matter
                connection.collect(socket_timeout=0.1)


def errors(connection: Connection) -> tuple[type[BaseException], ...]:
    """What a broker's client raises where the broker does not answer, or not as asked: each transport has its own."""
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def _limit(connection: Connection) -> None:
    """Py-amqp's own read timeout is swallowed and tried again; one on the socket is not."""
    if connection.transport.driver_type == "amqp":
        connection.connection.sock.settimeout(PATIENCE)
