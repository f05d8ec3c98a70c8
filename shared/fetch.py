"""Download a user's `https://` URL to a file, without letting the URL reach into our own network.

A name is resolved once; every address it has must be public; the connection goes to a checked address, not to the name again (a
second lookup could answer differently: DNS rebinding). Each redirect starts over. The environment's proxy settings play no part: a
proxy would resolve the name itself. A connection that breaks or falls silent is opened again, and every check is made again, for what is
still to come.
"""

import errno
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from shared.addresses import is_public
from shared.errors import PermanentError, TransientError
from shared.job import Checkpoint
from shared.partial import Partial
from shared.wire import TICK, Patience, Wire

CHUNK = 256 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
LATER = frozenset({408, 425, 429})
"""Refusals that ask to come again; all of 5xx do too."""
PORTS = {"https": 443, "http": 80}
FRUITFUL = 1 << 20
"""Bytes that a connection must have brought, no slower than is allowed, for its end not to count against `resumes`."""
LEFT_ALONE = "/%:=&?~#+!$,;'@()*[]"

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port → addresses as text. Raises OSError."""
Told = Callable[[int, int | None], None]
"""Called with the bytes so far and, where known, in all."""


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host by the system's resolver, without repeats."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def _no_matter(_bytes: int) -> None:
    """There is always room."""


@dataclass(frozen=True, slots=True)
class FetchRules:
    """What may be fetched. Times in seconds. `allowed` judges each address; tests and closed networks pass their own."""

    max_bytes: int
    schemes: frozenset[str] = frozenset({"https"})
    allowed: Callable[[str], bool] = is_public
    only: str = "a public address"
    """What `allowed` allows, for the error."""
    resolve: Resolve = resolve
    max_redirects: int = 5
    resumes: int = 5
    """How often a download that broke is gone on with, fruitful connections not counted; the pauses double from one second on."""
    slowest: int = 0
    """Bytes a second below which a server holds us up; looked at every `silence_seconds`. 0: no matter."""
    room: Callable[[int], None] = _no_matter
    """Called with the bytes still to come, once the server says how many; raises where they will not fit."""
    connect_seconds: float = 10.0
    silence_seconds: float = 30.0
    pause_seconds: float = 1.0
    pointer: str | None = None
    """The field of the command that held the URL, for the errors."""
    tls: ssl.SSLContext | None = None
    """None: the system's certificate authorities."""

    def refuse(self, why: str) -> PermanentError:
        """The error for what trying again cannot mend."""
        return PermanentError(why, type="fetch-refused", pointer=self.pointer)

    def later(self, why: str, retry_after: float | None = None) -> TransientError:
        """The error for what may pass."""
        return TransientError(why, type="fetch-failed", pointer=self.pointer, retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: its size, and what the server called it."""

    bytes: int
    media_type: str


def fetch(url: str, target: Path, rules: FetchRules, *, checkpoint: Checkpoint, progress: Told) -> Fetched:
    """Write what `url` holds to `target`.

    Raises PermanentError (a forbidden address, too large, 4xx, a bad certificate), TransientError (no answer, 5xx, cut off), and
    whatever `checkpoint` raises.
    """
    part, fruitless = Partial(target), 0
    while True:
        before, begun, since = part.done, part.resumable, time.monotonic()
        try:
            return _follow(url, part, rules, checkpoint, progress)
        except TransientError:
            enough = max(FRUITFUL, rules.slowest * (time.monotonic() - since))
            fruitless += part.done - before < enough  # never taken back: two answers in turn could go on for ever
            if not (part.resumable or begun) or fruitless > rules.resumes:
                raise
            _pause(2.0 ** max(fruitless - 1, 0) * rules.pause_seconds, checkpoint)


def _follow(url: str, part: Partial, rules: FetchRules, checkpoint: Checkpoint, progress: Told) -> Fetched:
    for _ in range(rules.max_redirects + 1):
        parts = parts_of(url, rules)
        try:
            with connect(parts, rules, checkpoint) as wire:
                response = _ask(wire, parts, part)
                if response.status not in REDIRECTS:
                    _accept(response, parts, rules, part)
                    return _save(response, part, rules, progress)
                url = urljoin(url, response.headers.get("Location", ""))
        except ssl.SSLCertVerificationError as error:
            raise rules.refuse(f"{parts.hostname} has no valid certificate: {error.verify_message}") from error
        except socket.gaierror as error:
            raise (rules.refuse if error.errno == socket.EAI_NONAME else rules.later)(
                f"{parts.hostname} has no address: {_why(error)}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise TransientError("the worker's disk is full", type="disk-full") from error
            raise rules.later(f"{parts.hostname} could not be read: {_why(error)}") from error
    raise rules.refuse(f"the URL redirects more than {rules.max_redirects} times")


def _pause(seconds: float, checkpoint: Checkpoint) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        checkpoint()
        time.sleep(min(left, TICK))


def parts_of(url: str, rules: FetchRules) -> SplitResult:
    """The URL taken apart. Raises PermanentError where no such URL may be asked."""
    try:
        parts = urlsplit(quote(url, safe=LEFT_ALONE))
        port = parts.port
    except ValueError as error:
        raise rules.refuse(f"the URL is malformed: {error}") from error
    if parts.scheme not in rules.schemes or not parts.hostname:
        raise rules.refuse(f"only {', '.join(sorted(rules.schemes))} URLs are asked, and this leads to {parts.scheme or 'no scheme'}://")
    if parts.username is not None or port == 0:
        raise rules.refuse("the URL must not carry a user name or the port 0")
    return parts


def connect(parts: SplitResult, rules: FetchRules, checkpoint: Checkpoint) -> Wire:
    """Connect to the first address that answers, all of them checked before.

    Raises PermanentError where one is forbidden, OSError where none answers, and whatever `checkpoint` raises.
    """
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    checkpoint()
    addresses = rules.resolve(host, port)
    forbidden = [address for address in addresses if not rules.allowed(address)]
    if forbidden or not addresses:
        raise rules.refuse(f"{host} does not lead to {rules.only}, and no other is connected to")
    tls = (rules.tls or ssl.create_default_context()) if parts.scheme == "https" else None
    connecting, reading = Patience(checkpoint, rules.connect_seconds), Patience(checkpoint, rules.silence_seconds)
    failed: OSError | None = None
    for address in addresses:
        try:
            return Wire.open(address, port, connecting, reading, tls=tls, name=host)
        except ssl.SSLError:
            raise
        except OSError as error:
            failed = error
    raise failed or OSError("no address")


def _ask(wire: Wire, parts: SplitResult, part: Partial) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or PORTS[parts.scheme])
    connection.sock = cast("socket.socket", wire)  # already connected: http.client opens nothing of its own
    connection.auto_open = 0
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "counterfoil"}
    connection.request("GET", path, headers=headers | part.headers())
    return connection.getresponse()


def _accept(response: http.client.HTTPResponse, parts: SplitResult, rules: FetchRules, part: Partial) -> None:
    """Raise what the answer means, unless it brings what was asked for and there is room for it."""
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in LATER:
        wait = response.headers.get("Retry-After", "")
        raise rules.later(f"{parts.hostname} answered {response.status}", float(wait) if wait.isdecimal() else None)
    resuming = part.resumable
    if response.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT} or not part.take(response):
        if resuming:  # 416, or a part of something else: the whole may still be had
            part.forget()
            raise rules.later(f"{parts.hostname} answered {response.status} when it was asked for the rest")
        raise rules.refuse(f"{parts.hostname} answered {response.status} {response.reason}")
    if part.total is not None and part.total > rules.max_bytes:
        raise rules.refuse(f"it holds {part.total} bytes; {rules.max_bytes} are allowed")
    if part.total is not None:
        rules.room(part.total - part.done)


def _save(response: http.client.HTTPResponse, part: Partial, rules: FetchRules, progress: Told) -> Fetched:
    since, before = time.monotonic(), part.done
    with part.target.open("r+b" if part.done else "wb") as file:
        file.seek(part.done)
        file.truncate()
        while chunk := response.read1(CHUNK):
            if part.done + len(chunk) > rules.max_bytes:
                raise rules.refuse(f"it holds more than the {rules.max_bytes} bytes that are allowed")
            file.write(chunk)
            part.done += len(chunk)
            progress(part.done, part.total)
            if (passed := time.monotonic() - since) > rules.silence_seconds:
                if part.done - before < rules.slowest * passed:
                    raise rules.later(f"it comes too slowly: {(part.done - before) / passed:.0f} bytes a second")
                since, before = time.monotonic(), part.done
    if part.total is not None and part.done < part.total:
        raise rules.later(f"the connection was cut after {part.done} of {part.total} bytes")
    return Fetched(part.done, response.headers.get_content_type())


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it fell silent"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
