"""A Maildir as a queue: mails come in by a rename, are claimed by a rename, and nothing is lost in between.

(D. J. Bernstein's format: `tmp` to write, `new` for what has arrived, `cur` for what somebody looked at.)
"""

import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

SEEN = ":2,S"
ABANDONED = 900.0
"""Seconds after which a claimed mail is taken for one whose reader died."""
KEPT = ".unparsed"


class Maildir:
    """The folder and, beside what arrives, the subfolder of mails that are kept for people."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet."""
        self._folder = folder

    def make(self) -> None:
        """Make the folders, where they are missing."""
        for place in (self._folder, self._folder / KEPT):
            for name in ("tmp", "new", "cur"):
                (place / name).mkdir(parents=True, exist_ok=True)

    def add(self, content: bytes) -> None:
        """Put a mail in; when this returns, it is on disk."""
        name = f"{time.time():.6f}.{uuid.uuid4().hex}.{socket.gethostname().replace('/', '_').replace(':', '_')}"
        temporary = self._folder / "tmp" / name
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._folder / "new" / name)
        descriptor = os.open(self._folder / "new", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def claim(self, most: int) -> Iterator[Path]:
        """Mails that nobody else reads, oldest first; what a reader left behind that died, too."""
        before = time.time() - ABANDONED
        left = [path for path in (self._folder / "cur").iterdir() if path.stat().st_ctime < before]
        for path in [*sorted(left), *sorted((self._folder / "new").iterdir())][:most]:
            mine = self._folder / "cur" / f"{path.name.partition(':')[0]}.{uuid.uuid4().hex[:8]}{SEEN}"
            try:
                path.rename(mine)
            except FileNotFoundError:
                continue  # another reader was faster
            yield mine

    def keep(self, mail: Path) -> None:
        """Keep a claimed mail for people."""
        mail.rename(self._folder / KEPT / "new" / mail.name.partition(":")[0])

    @staticmethod
    def done(mail: Path) -> None:
        """Forget a claimed mail."""
        mail.unlink()
