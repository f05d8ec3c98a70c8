"""A mail on its way: what the sender moves about, and when one that was put off is due again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.mailer.journal import Entry, Fate


@dataclass(slots=True)
class Mail:
    """One mail ready to go: who it is for (as given, and on the wire), the dot-stuffed bytes, and its history."""

    key: str
    email: str
    address: str
    stuffed: bytes
    put_off: int = 0
    since: float = 0.0
    """When it was first put off (Unix seconds); 0: never."""
    due: float = 0.0
    reply: str = ""
    resent: bool = False
    """An earlier attempt at it has an unknown outcome: the recipient may have two."""
    sender: str = ""
    """The envelope's sender, where it is another than the batch's: bounces come back there."""
    turn: bool = False
    """It waited for its site's rate, and its turn to ask has come."""

    def put_off_until(self, now: float, reply: str, delays: Sequence[float]) -> Entry:
        """Take down one more 4xx; the last delay repeats. The entry is for the journal."""
        self.since = self.since or now
        self.due = now + delays[min(self.put_off, len(delays) - 1)]
        self.put_off += 1
        self.reply = reply
        return Entry(None, self.since, reply, self.resent, self.put_off, self.due)


class Record(Protocol):
    """Takes down a recipient's fate."""

    def __call__(self, mail: Mail, fate: Fate, reply: str) -> None:
        """Called once for each mail."""
