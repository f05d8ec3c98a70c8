"""The bytes of an SMTP connection: lines out, replies in. Knows nothing of mail.

An own `asyncio.Protocol` rather than streams: replies of a pipelined group are parsed from one buffer, and the buffer is ours
to empty before TLS begins (a reply smuggled in before STARTTLS must not be believed after it, CVE-2011-0411).
"""

import asyncio
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

MAX_REPLY = 64_000
SEPARATOR = 3


class DisconnectedError(ConnectionError):
    """The server closed the connection, did not answer in time or does not speak SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: the code and its words, lines joined by a blank for people and kept apart for EHLO."""

    code: int
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """2xx: done."""
        return 200 <= self.code < 300  # noqa: PLR2004 - RFC 5321, 4.2.1

    @property
    def transient(self) -> bool:
        """4xx: not now."""
        return 400 <= self.code < 500  # noqa: PLR2004 - RFC 5321, 4.2.1

    def __str__(self) -> str:
        """The code and the words, as mail logs show them."""
        return f"{self.code} {' '.join(self.lines)}".strip()


@lru_cache(maxsize=512)
def _one_line(line: bytes) -> Reply | None:
    """A reply of one line, read once: servers say the same few over and over. None: it is not the last line, or not SMTP."""
    text = line.rstrip(b"\r").decode("utf-8", errors="replace")
    code, mark = text[:SEPARATOR], text[SEPARATOR : SEPARATOR + 1]
    if not (code.isascii() and code.isdigit()) or len(code) < SEPARATOR or mark not in ("", " "):
        return None
    return Reply(int(code), (text[SEPARATOR + 1 :],))


class Wire(asyncio.Protocol):
    """One connection. `send` queues bytes, `reply` waits for the next reply; both raise `DisconnectedError`."""

    def __init__(self) -> None:
        """Not connected yet; see `open_wire`."""
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call; again after STARTTLS, with the encrypted transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's call."""
        self._buffer += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's call."""
        self._lost = f"the connection broke: {exc}" if exc else "the server closed the connection"
        if self._alarm is not None:
            self._alarm.cancel()
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        """Asyncio's call: the socket is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Asyncio's call."""
        self._writable.set()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, data: bytes, timeout: float) -> None:  # noqa: ASYNC109 - one timeout for each step of a dialogue
        """Write and, where the socket is full, wait until there is room again."""
        if self._lost or self.transport is None:
            raise DisconnectedError(self._lost or "not connected")
        self.transport.write(data)
        if not self._writable.is_set():
            try:
                await asyncio.wait_for(self._writable.wait(), timeout)
            except TimeoutError as error:
                raise DisconnectedError(f"the server took no bytes for {timeout:.0f} s") from error

    async def reply(self, timeout: float) -> Reply:  # noqa: ASYNC109 - one timeout for each step of a dialogue
        """The next reply."""
        reply = self._parsed()
        if reply is not None:
            return reply
        deadline = asyncio.get_running_loop().time() + timeout
        while reply is None:
            if self._lost:
                raise DisconnectedError(self._lost)
            if len(self._buffer) > MAX_REPLY:
                raise DisconnectedError("the server's reply does not end")
            await self._more(deadline, timeout)
            reply = self._parsed()
        return reply

    async def _more(self, deadline: float, timeout: float) -> None:  # noqa: ASYNC109 - for the sentence
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._deadline = deadline
        if self._alarm is None or self._alarm.when() > deadline:
            self._set_alarm(deadline)
        try:
            await self._waiter
        except TimeoutError as error:
            raise DisconnectedError(f"the server did not answer within {timeout:.0f} s") from error
        finally:
            self._waiter = None

    def _set_alarm(self, when: float) -> None:
        """One timer for many waits: it goes off at the first one's deadline, and where that is long past looks for the present one's."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(when, self._rang)

    def _rang(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return
        if self._deadline <= asyncio.get_running_loop().time():
            self._waiter.set_exception(TimeoutError())
        else:
            self._set_alarm(self._deadline)

    def _parsed(self) -> Reply | None:
        """Cut one whole reply off the buffer: lines `250-…` and a last `250 …` (RFC 5321, 4.2.1); None: not all is here."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        if (reply := _one_line(bytes(self._buffer[:end]))) is not None:
            del self._buffer[: end + 1]
            return reply
        start, lines = 0, []
        while (end := self._buffer.find(b"\n", start)) >= 0:
            line = self._buffer[start:end].rstrip(b"\r").decode("utf-8", errors="replace")
            start = end + 1
            code, mark = line[:SEPARATOR], line[SEPARATOR : SEPARATOR + 1]
            if not (code.isascii() and code.isdigit()) or len(code) < SEPARATOR or mark not in ("", " ", "-"):
                raise DisconnectedError(f"the server does not speak SMTP: {line[:80]!r}")
            lines.append(line[SEPARATOR + 1 :])
            if mark != "-":
                del self._buffer[:start]
                return Reply(int(code), tuple(lines))
        return None

    async def start_tls(self, context: ssl.SSLContext, host: str, timeout: float) -> None:  # noqa: ASYNC109 - as above
        """Encrypt from here on; what came before the handshake is forgotten. Raises `ssl.SSLError` and `OSError`."""
        if self.transport is None:
            raise DisconnectedError("not connected")
        self._buffer.clear()
        transport = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_hostname=host, ssl_handshake_timeout=timeout
        )
        if transport is None:
            raise DisconnectedError("the connection closed during the TLS handshake")
        self.transport = transport

    @property
    def lost(self) -> bool:
        """Is it over? As far as the loop has seen."""
        return self._lost is not None or self.transport is None or self.transport.is_closing()

    def local_address(self) -> str:
        """This end's IP address."""
        return str(self.transport.get_extra_info("sockname")[0]) if self.transport else "127.0.0.1"

    def close(self) -> None:
        """Drop the connection."""
        if self.transport is not None:
            self.transport.abort()
