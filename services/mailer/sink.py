"""A mail server in this very process that takes every mail and forgets it: what a dry run sends to.

So a dry run goes all the way (rendered, written, signed, offered over SMTP, noted in the journal), and its rate is what this machine can
do with a server that is no bottleneck.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import cache
from typing import cast

END = b"\r\n.\r\n"
GREETING = b"220 sink.localhost ESMTP: mail ends here\r\n"
ANSWERS = {
    b"EHLO": b"250-sink.localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0\r\n",
    b"HELO": b"250 sink.localhost\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
OTHERS = b"250 2.0.0 ok\r\n"


class _Session(asyncio.Protocol):
    """One connection; commands are answered in order, however many come in one packet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call: greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        """Asyncio's call: answer what is complete, in one write."""
        searched = max(0, len(self._buffer) - len(END))
        self._buffer += data
        answers = bytearray()
        while (answer := self._taken(searched) if self._body else self._command()) is not None:
            answers += answer
            searched = 0
        if answers and self._transport is not None:
            self._transport.write(answers)
            if answers.endswith(ANSWERS[b"QUIT"]):
                self._transport.close()

    def _command(self) -> bytes | None:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        verb = bytes(line[:4]).upper()
        self._body = verb == b"DATA"
        return ANSWERS.get(verb, OTHERS)

    def _taken(self, searched: int) -> bytes | None:
        end = self._buffer.find(END, searched)
        if end < 0:
            return None
        del self._buffer[: end + len(END)]
        self._body = False
        return b"250 2.0.0 %d bytes, sent to nobody\r\n" % end


@cache
def sink_url() -> str:
    """The address of this process's sink, which is started when first asked for."""
    ready: threading.Event = threading.Event()
    ports: list[int] = []
    threading.Thread(target=_serve, args=(ready, ports.append), name="mail-sink", daemon=True).start()
    ready.wait()
    return f"smtp://127.0.0.1:{ports[0]}"


def _serve(ready: threading.Event, tell: Callable[[int], None]) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Session, "127.0.0.1", 0)
        tell(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    asyncio.run(serve())
