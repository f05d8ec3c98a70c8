"""The last lines that a program wrote to stderr, in bounded memory: a hostile source can make FFmpeg write gigabytes."""

from collections import deque


class LineRing:
    """Keeps the first `head` and the last `tail` lines, each cut at `width` bytes; the rest is only counted.

    The first lines name the cause more often than the last ones, which tend to say "Conversion failed!".
    """

    def __init__(self, head: int = 20, tail: int = 60, width: int = 400) -> None:
        """Start empty."""
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=tail)
        self._room = head
        self._width = width
        self._partial = bytearray()
        self.seen = 0
        """Bytes fed so far."""

    def feed(self, chunk: bytes) -> None:
        """Take what was read, in pieces of any size."""
        self.seen += len(chunk)
        *lines, rest = chunk.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._grow(line)
            self._keep()
        self._grow(rest)

    def lines(self) -> list[str]:
        """What was kept, oldest first, an unfinished last line included."""
        last = [self._text()] if self._partial else []
        return [*self._head, *self._tail, *last]

    def _grow(self, piece: bytes) -> None:
        self._partial += piece[: max(self._width - len(self._partial), 0)]

    def _keep(self) -> None:
        text = self._text()
        self._partial.clear()
        if not text:
            return
        if len(self._head) < self._room:
            self._head.append(text)
        else:
            self._tail.append(text)

    def _text(self) -> str:
        return self._partial.decode("utf-8", "replace").strip()
