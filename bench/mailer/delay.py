"""`python -m bench.mailer.delay PORT TARGET MILLISECONDS`: a TCP proxy on loopback that makes every round trip so much longer."""

import asyncio
import sys
from typing import cast


class End(asyncio.Protocol):
    """One end: what comes in goes out of the other one later, in order."""

    def __init__(self, later: float) -> None:
        self.later = later
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's call."""
        asyncio.get_running_loop().call_later(self.later, self._pass_on, data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's call."""
        del exc
        if self.other is not None and self.other.transport is not None:
            asyncio.get_running_loop().call_later(self.later, self.other.transport.close)


class Near(End):
    """The client's end; it opens the far one, half a round trip after the client came."""

    def __init__(self, later: float, target: int) -> None:
        super().__init__(later)
        self._target = target
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call."""
        super().connection_made(transport)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        await asyncio.sleep(self.later)
        _, far = await asyncio.get_running_loop().create_connection(lambda: End(self.later), "127.0.0.1", self._target)
        self.other, far.other = far, self


async def main(port: int, target: int, milliseconds: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Near(milliseconds / 2_000, target), "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
