"""Bait: a folder and a web server that nothing may touch. Both count whoever does."""

import ctypes
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

IN_ACCESS, IN_OPEN, IN_ISDIR = 0x1, 0x20, 0x40000000
EVENT_BYTES = 16


@dataclass
class Canaries:
    """`film` is a media file of somebody else's, `url` leads to a server of ours."""

    film: Path
    url: str
    watch: int
    calls: list[tuple[str, int]] = field(default_factory=list)

    def opened(self) -> int:
        """How often a file in the folder was opened or read since the last look (inotify)."""
        seen = 0
        with suppress(BlockingIOError):
            while events := os.read(self.watch, 65_536):
                while events:
                    mask, length = int.from_bytes(events[4:8], "little"), int.from_bytes(events[12:16], "little")
                    seen += not mask & IN_ISDIR
                    events = events[EVENT_BYTES + length :]
        return seen

    def called(self) -> int:
        """How many connections came since the last look."""
        count = len(self.calls)
        self.calls.clear()
        return count


@contextmanager
def canaries(film: Path) -> Iterator[Canaries]:
    """Watch the folder of `film`, which should hold nothing else, and listen on a free port."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    assert libc.inotify_add_watch(watch, os.fsencode(film.parent), IN_OPEN | IN_ACCESS) >= 0, os.strerror(ctypes.get_errno())
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Canaries(film, f"http://127.0.0.1:{server.getsockname()[1]}/film.ts", watch)

        def listen() -> None:
            with suppress(OSError):  # the socket's end is the thread's
                while True:
                    caller, address = server.accept()
                    found.calls.append(address)
                    caller.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield found
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    os.close(watch)
