"""One life of a process, as asyncio tells it."""

import asyncio
from collections.abc import Callable

LONGEST_LINE = 65_536
"""Bytes; a longer line is cut in pieces."""


class Life(asyncio.SubprocessProtocol):
    """One life of a process: its output, line by line, and its end.

    A protocol and not a stream, because `Process.wait` of some Python versions also waits for the output's end, and an orphan
    (an encoder whose worker was killed) may hold that open for hours.
    """

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self.ended = asyncio.Event()
        self._on_line = on_line
        self._rest = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        """Pass on whole lines; one that does not end is passed on in pieces, for it must not fill the memory."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._on_line(line)

    def process_exited(self) -> None:
        """Its end, whoever still holds its output."""
        self.ended.set()

    def flush(self) -> None:
        """Pass on a last line that had no end."""
        if self._rest:
            self._on_line(self._rest)
