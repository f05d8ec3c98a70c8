"""An SMTP server that does what a test tells it, in a thread: counts copies, refuses, defers, cuts the line."""

import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from services.mailer.settings import Relay

CUT = "cut"
Script = Callable[[str, str], str]
"""`script(verb, argument)` → a reply line, `CUT` to close the connection, or "" for the normal answer. For a finished body the verb is BODY
and the argument its recipient."""


@dataclass
class Peer:
    """What the server saw, and how it behaves."""

    script: Script = lambda _verb, _argument: ""
    pipelining: bool = True
    delay: float = 0.0
    """Seconds between a body's end and the answer."""
    copies: Counter[str] = field(default_factory=Counter)
    """Bodies taken (the 250 was at least attempted), by recipient."""
    times: list[float] = field(default_factory=list)
    sessions: int = 0
    turns: int = 0
    """How often a session had to wait for the client: nothing more lay in its buffer."""
    open: list[socket.socket] = field(default_factory=list)
    relay: Relay = field(default_factory=lambda: Relay("127.0.0.1", 0))
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """For MAILER_SMTP_URL."""
        return f"smtp://{self.relay.host}:{self.relay.port}"

    def took(self, recipient: str) -> None:
        """Count one body."""
        with self.changed:
            self.copies[recipient] += 1
            self.times.append(time.monotonic())
            self.changed.notify_all()

    def hang_up(self) -> None:
        """End every connection that is open."""
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def wait_for(self, count: int) -> None:
        """Until this many bodies were taken."""
        with self.changed:
            assert self.changed.wait_for(lambda: sum(self.copies.values()) >= count, timeout=60)


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        try:
            self._talk()
        except ConnectionError:
            return

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def _talk(self) -> None:
        peer: Peer = self.server.peer  # type: ignore[attr-defined]  # set by `running`
        peer.sessions += 1
        peer.open.append(self.connection)
        greeting = peer.script("CONNECT", "")
        self._say(greeting or "220 peer")
        if greeting:
            return
        recipient = ""
        while (line := self._line(peer)) is not None:
            verb, _, argument = line.partition(" ")
            answer = peer.script(verb, argument)
            if answer == CUT:
                return
            if verb in {"MAIL", "RSET"}:
                recipient = ""
            if verb == "RCPT" and (not answer or answer.startswith("2")):
                recipient = argument.partition("<")[2].partition(">")[0]
            self._say(
                answer or {"EHLO": "250-peer\r\n250 PIPELINING" if peer.pipelining else "250 peer", "DATA": "354 go"}.get(verb, "250 ok")
            )
            if verb == "QUIT" or answer.startswith("421"):
                return
            if verb == "DATA" and not answer and not self._body(peer, recipient):
                return

    def _line(self, peer: Peer) -> str | None:
        self.connection.setblocking(False)
        waiting = self.rfile.peek(1)  # type: ignore[attr-defined]  # a BufferedReader
        self.connection.setblocking(True)
        peer.turns += not waiting
        line = self.rfile.readline()
        return line.decode().strip() if line else None

    def _body(self, peer: Peer, recipient: str) -> bool:
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
        if not recipient:  # after a refused RCPT in a pipelined group: 354, and then nobody to deliver to (RFC 2920, 3.1)
            self._say("554 no valid recipients")
            return True
        answer = peer.script("BODY", recipient)
        if not answer or answer.startswith("2"):
            peer.took(recipient)
            time.sleep(peer.delay)
        if answer == CUT:
            return False
        self._say(answer or f"250 2.0.0 taken for {recipient}")
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


@contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    """The peer, listening on a free port."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.peer = peer  # type: ignore[attr-defined]  # read by the sessions
        peer.relay = Relay("127.0.0.1", int(server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()
