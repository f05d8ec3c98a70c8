"""Load without wrk: keep-alive connections over asyncio protocols, in a process of their own.

One request is on the way per connection, as with wrk. It parses no more of an answer than its status and Content-Length, and
costs about 40 µs a request: a tenth of what the gateways under test spend, so it is not what is measured.
"""

import asyncio
import multiprocessing
import secrets
import time
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from bench.submit.figures import Figures, Load, percentile


@dataclass(slots=True)
class Tally:
    """What all connections of a process saw. `latencies` in milliseconds."""

    until: float
    latencies: list[float] = field(default_factory=list)
    refused: int = 0


class Requests:
    """The bytes of each request; with unique keys they differ in a counter."""

    def __init__(self, load: Load) -> None:
        """Prepare everything that stays the same."""
        target = urlsplit(load.url)
        lines = [f"POST {target.path} HTTP/1.1", f"Host: {target.netloc}", f"Content-Length: {len(load.body)}"]
        self._head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in load.headers.items())]).encode() + b"\r\n"
        self._tail = b"\r\n" + load.body
        self._unique, self._run, self._count = load.unique_keys, secrets.token_hex(8), 0

    def next(self) -> bytes:
        """One request."""
        if not self._unique:
            return self._head + self._tail
        self._count += 1
        return b"%bIdempotency-Key: %b-%d\r\n%b" % (self._head, self._run.encode(), self._count, self._tail)


class Connection(asyncio.Protocol):
    """Sends a request, awaits its answer whole, sends the next, until the time is over."""

    def __init__(self, requests: Requests, tally: Tally, ended: asyncio.Future[None]) -> None:
        """`ended` is resolved when this connection has no more to do."""
        self._requests, self._tally, self._ended = requests, tally, ended
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's promise for TCP, told to the type checker
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Collect until an answer is whole."""
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0 or len(self._received) < head + 4 + content_length(self._received[:head]):
            return
        now = time.perf_counter()
        self._tally.latencies.append((now - self._sent_at) * 1_000)
        self._tally.refused += not self._received.startswith(b"HTTP/1.1 2")
        self._received = b""
        if now < self._tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """A break before the end counts as a refusal, and the connection is not opened again."""
        if exc is not None or time.perf_counter() < self._tally.until:
            self._tally.refused += 1
        if not self._ended.done():
            self._ended.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests.next())


def content_length(head: bytes) -> int:
    """The length of the body after an answer's head; 0 where none is said (the gateways under test always say it)."""
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def run(load: Load, *, seconds: float, connections: int, processes: int = 1) -> Figures:
    """Load the URL from `processes` processes that share the connections. Raises OSError where nothing listens."""
    shares = [share for share in (len(range(n, connections, processes)) for n in range(processes)) if share]
    with multiprocessing.get_context("spawn").Pool(len(shares)) as pool:
        parts = pool.starmap(_in_process, [(load, seconds, share) for share in shares])
    latencies = sorted(latency for part, _, _ in parts for latency in part)
    longest = max(took for _, _, took in parts)
    refused = sum(refused for _, refused, _ in parts)
    return Figures(len(latencies) / longest, percentile(latencies, 0.5), percentile(latencies, 0.99), len(latencies), refused)


def _in_process(load: Load, seconds: float, connections: int) -> tuple[list[float], int, float]:
    return asyncio.run(_drive(load, seconds, connections))


async def _drive(load: Load, seconds: float, connections: int) -> tuple[list[float], int, float]:
    loop = asyncio.get_running_loop()
    target = urlsplit(load.url)
    requests = Requests(load)
    started = time.perf_counter()
    tally = Tally(until=started + seconds)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(partial(Connection, requests, tally, end), target.hostname or "127.0.0.1", target.port or 80)
    await asyncio.gather(*ends)
    return tally.latencies, tally.refused, time.perf_counter() - started
