"""One attempt: a POST to a user's URL, which reaches public addresses (or such as a setting names), follows nothing and never takes long.

The connection goes to an address that was checked, not to the name again, as with downloads (`shared.fetch`).
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any, cast

from shared.addresses import Networks, is_public, within
from shared.errors import JobError
from shared.fetch import PORTS, FetchRules, Resolve, connect, parts_of, resolve
from shared.wire import Wire

ANSWER = 16_384
"""Bytes of the answer's body that are read, to let the receiver finish; nobody looks at them."""
LIMIT = 65_536
"""Bytes of the whole answer, whatever its head says: http.client alone would take 6 MB of headers."""
LINGER = 2.0
"""Seconds for that."""


class Stopped(Exception):  # noqa: N818 - not an error
    """We were told to stop in the middle of it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom we may call, and how long it may take in all (seconds). `stopping` says whether we are to stop."""

    networks: Networks = ()
    timeout: float = 20.0
    resolve: Resolve = resolve
    stopping: Callable[[], bool] = field(default=lambda: False)
    tls: Callable[[], ssl.SSLContext] = field(default=cache(ssl.create_default_context))
    """Made once: it loads the system's certificate authorities, which takes as long as many attempts."""

    def rules(self, scheme: str) -> FetchRules:
        """Any public address by https; by http only what the setting names, for its content can be read on the way."""
        plain = scheme == "http"
        return FetchRules(
            max_bytes=ANSWER,
            schemes=frozenset({"https", "http"}),
            allowed=lambda address: within(address, self.networks) or (not plain and is_public(address)),
            only="a network in which http:// is allowed (COUNTERFOIL_WEBHOOK_NETWORKS)" if plain else "a public address",
            resolve=self.resolve,
            connect_seconds=self.timeout,
            silence_seconds=self.timeout,
            tls=None if plain else self.tls(),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """How it went: an HTTP `status`, or None and the `reason` why there is none. `retry_after` in seconds, where the receiver said so."""

    status: int | None
    reason: str
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """2xx."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class _Sip(io.RawIOBase):
    """As much of an answer as we take; then it is over."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source, self._left = source, LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = self._source.read1(min(len(buffer), self._left))
        buffer[: len(taken)] = taken
        self._left -= len(taken)
        return len(taken)


class _Sipped:
    """As much of a connection as http.client uses."""

    def __init__(self, wire: Wire) -> None:
        self.sendall, self.close = wire.sendall, wire.close
        self._wire = wire

    def makefile(self, *_: Any) -> io.BufferedReader:
        """The reading end."""
        return io.BufferedReader(_Sip(self._wire.makefile()))


@dataclass
class _Deadline:
    """The checkpoint of every wait: silence is not the only way to hold us up, drops are another."""

    at: float
    stopping: Callable[[], bool]

    def __call__(self) -> None:
        if self.stopping():
            raise Stopped
        if time.monotonic() > self.at:
            raise TimeoutError("no answer in time")


def post(url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Reply:
    """Send it, and say how it went. Raises Stopped."""
    deadline = _Deadline(time.monotonic() + reach.timeout, reach.stopping)
    rules = reach.rules(url.partition(":")[0].lower())
    try:
        parts = parts_of(url, rules)
        with connect(parts, rules, deadline) as wire:
            host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
            response = _ask(wire, (host, port), (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers, body)
            deadline.at = min(deadline.at, time.monotonic() + LINGER)
            with contextlib.suppress(OSError, http.client.HTTPException, Stopped):  # the status is what counts
                response.read(ANSWER)
            return _reply(response)
    except (OSError, http.client.HTTPException, JobError, ValueError) as error:
        return Reply(None, _why(error))


def _ask(wire: Wire, where: tuple[str, int], target: str, headers: Mapping[str, str], body: bytes) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*where)
    connection.sock = cast("socket.socket", _Sipped(wire))  # already connected: http.client opens nothing of its own
    connection.auto_open = 0
    ours = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "Counterfoil-Webhooks"}
    connection.request("POST", target, body=body, headers=ours | dict(headers))
    return connection.getresponse()


def _reply(response: http.client.HTTPResponse) -> Reply:
    status = response.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Reply(status, f"it answered {status}, and redirects are not followed: give the URL that it leads to")
    return Reply(status, f"it answered {status}", retry_after(response.headers.get("Retry-After", "")))


def retry_after(text: str, now: datetime | None = None) -> float | None:
    """A Retry-After header (RFC 9110 §10.2.3), seconds or a date, in seconds from now; None where it says nothing sensible."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"it has no valid certificate: {error.verify_message}"
        case JobError():
            return error.detail
        case TimeoutError():
            return "it gave no answer in time"
        case http.client.HTTPException():
            return f"its answer is no HTTP ({type(error).__name__})"
        case _:
            return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
