"""A TCP proxy that cuts connections: what a network does to whoever talks to the ledger."""

import asyncio
import contextlib
import threading
from typing import Self

from tests.servers import free_port


class Proxy:
    """Listens on a loopback port and forwards to another; `cut` resets every connection that is open."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        """Listening."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything, stop listening."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def cut(self) -> int:
        """Reset every open connection, in the middle of whatever it carries; how many."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    async def _end(self) -> None:
        await self._cut()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _cut(self) -> int:
        ends = list(self._open)
        for end in ends:
            end.transport.abort()
        return len(ends) // 2

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        with contextlib.suppress(asyncio.CancelledError):  # the end of the proxy: asyncio would tell each as an error
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= ends

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.transport.abort()
