"""A TCP or TLS connection that never blocks through a cancel: every wait looks at the checkpoint four times a second."""

import errno
import io
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from shared.job import Checkpoint

TICK = 0.25
BUFFER = 256 * 1024
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the other side may be silent (seconds), and what is called while we wait."""

    checkpoint: Checkpoint
    seconds: float

    def wait(self, sock: socket.socket, attempt: Callable[[], Answer], blocked: int = selectors.EVENT_READ) -> Answer:
        """Call `attempt` on a non-blocking socket until it no longer says that it would block. Raises TimeoutError."""
        deadline = time.monotonic() + self.seconds
        with selectors.DefaultSelector() as selector:
            while True:
                self.checkpoint()
                try:
                    return attempt()
                except ssl.SSLWantWriteError:
                    interest = selectors.EVENT_WRITE
                except ssl.SSLWantReadError:
                    interest = selectors.EVENT_READ
                except BlockingIOError:
                    interest = blocked
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, "no answer in time")
                selector.register(sock, interest)
                selector.select(TICK)
                selector.unregister(sock)


class _Reader(io.RawIOBase):
    """The reading end, for a BufferedReader."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock, self._patience = sock, patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._patience.wait(self._sock, partial(self._sock.recv_into, buffer))


class Wire:
    """As much of a socket as http.client uses. A context manager: `close` does nothing, leaving the block closes."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        """Take over a connected, non-blocking socket."""
        self._sock, self._patience = sock, patience

    @classmethod
    def open(cls, address: str, port: int, connecting: Patience, reading: Patience, *, tls: ssl.SSLContext | None, name: str) -> Self:
        """Connect to an address, never a name; with `tls`, `name` is what the certificate must be for. Raises OSError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            connecting.wait(sock, partial(_connect, sock, (address, port)), selectors.EVENT_WRITE)
            if tls is not None:
                secured = tls.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
                sock = secured
                connecting.wait(secured, secured.do_handshake)
        except BaseException:
            sock.close()
            raise
        return cls(sock, reading)

    def sendall(self, data: Any) -> None:
        """Send all of it."""
        rest = bytes(data)
        while rest:
            rest = rest[self._patience.wait(self._sock, partial(self._sock.send, rest), selectors.EVENT_WRITE) :]

    def makefile(self, *_: Any) -> io.BufferedReader:
        """The reading end."""
        return io.BufferedReader(_Reader(self._sock, self._patience), BUFFER)

    def close(self) -> None:
        """http.client closes its connection while the response is still being read: see the class."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sock.close()


def _connect(sock: socket.socket, where: tuple[str, int]) -> None:
    number = sock.connect_ex(where)
    if number in {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK}:
        raise BlockingIOError(number, os.strerror(number))
    if number not in {0, errno.EISCONN}:
        raise OSError(number, os.strerror(number))
