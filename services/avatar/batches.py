"""Many pictures in batches as large as the card has room for: a batch that does not fit is tried again at half its size.

No torch in here: how a batch is painted is given, and raises `CardFullError` where it does not fit.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from services.avatar.raster import RenderError
from shared.errors import JobError, PermanentError, TransientError
from shared.job import Checkpoint, Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
else:
    Pixels = Any

log = structlog.get_logger()

OnStep = Callable[[int, int], None]
"""`on_step(done, of)`: called after each step of a batch; raises to stop it."""
Paint = Callable[[Sequence[int], OnStep], Sequence[Pixels]]
"""`paint(seeds, on_step)`: a picture of shape (edge, edge, 3), 0 to 255, for each seed. Raises `CardFullError`."""
_CROWDED = 0.1
"""The share of a card's memory, held by others, from which it may be their fault that there is no room."""


@dataclass(frozen=True, slots=True)
class Room:
    """A card's memory in bytes: all of it, what is free, and what this process holds."""

    total: int
    free: int
    ours: int

    @property
    def others(self) -> int:
        """What other processes hold."""
        return max(0, self.total - self.free - self.ours)


class CardFullError(Exception):
    """The batch does not fit."""

    def __init__(self, room: Room) -> None:
        """Keep how the card's memory was shared out then."""
        super().__init__("out of the card's memory")
        self.room = room


PICTURE = "One picture of this model"


def no_room(room: Room, what: str = PICTURE) -> JobError:
    """Not even `what` fits: for now, where others hold a good part of the card, else for good."""
    size, free = f"{room.total / 1e9:.1f} GB", f"{room.free / 1e9:.1f} GB"
    if room.others > _CROWDED * room.total:
        held = f"other processes hold {room.others / 1e9:.1f} GB of the card's {size}, {free} are free"
        return TransientError(f"{what} does not fit: {held}.", type="gpu-memory", retry_after=30.0)
    advice = "Set AVATAR_DIFFUSION_EDGE lower, or use a smaller model." if what == PICTURE else "Use a smaller model."
    return PermanentError(f"{what} does not fit into the card's {size}. {advice}", type="gpu-memory")


@dataclass(slots=True)
class Batches:
    """The pictures of `seeds`, painted batch by batch as they are asked for, in order."""

    paint: Paint
    seeds: Sequence[int]
    size: int
    """Pictures to a batch, at most; becomes smaller, never larger again."""
    progress: Progress
    checkpoint: Checkpoint
    _made: dict[int, Pixels] = field(default_factory=dict)
    _done: int = 0
    _began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Paint the first batch: then it is known that the card can.

        Raises:
            PermanentError: `gpu-memory`: not even one picture fits the card.
            TransientError: likewise, while others hold a good part of it.
            JobCanceled: the user cancelled between two steps.
        """
        self._next()

    def picture(self, number: int) -> Pixels:
        """The picture `number` (from 0), which can be had once. Raises as `begin`, but RenderError where it is lost for good."""
        try:
            while number not in self._made:
                self._next()
        except PermanentError as error:
            raise RenderError(error.detail) from error
        return self._made.pop(number)

    def _next(self) -> None:
        while True:
            seeds = self.seeds[self._done : self._done + self.size]
            try:
                pictures = self.paint(seeds, self._on_step)
            except CardFullError as full:
                room = full.room
            else:
                break
            if len(seeds) == 1:
                raise no_room(room)
            self.size = len(seeds) // 2
            log.warning("batch_halved", size=self.size, free_bytes=room.free, others_bytes=room.others)
        self._made.update(enumerate(pictures, start=self._done))
        self._done += len(seeds)

    def _on_step(self, done: int, of: int) -> None:
        self.checkpoint()
        total = len(self.seeds)
        share = min(self.size, total - self._done) * done / of
        last = min(self._done + self.size, total)
        which = f"picture {total}" if self._done + 1 == last == total else f"pictures {self._done + 1}-{last}"
        fraction = (self._done + share) / total
        left = (time.monotonic() - self._began) * (1 - fraction) / fraction
        self.progress(fraction, "paint", f"step {done} of {of}, {which} of {total}", left)
