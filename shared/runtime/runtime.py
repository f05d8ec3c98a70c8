"""What one worker process has in hand: its service, its ledger, its storage and its bus; made when first used."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.bus import Bus
from shared.ledger.store import Ledger
from shared.runtime.away import Away
from shared.runtime.ears import Ears
from shared.runtime.warmth import Warmth
from shared.service import Handler, Service
from shared.storage import Storage


def worker_name(service: str) -> str:
    """Names this worker process (a pool's parent) in leases and heartbeats: service, host, pid, and this start of it.

    Without the last, a container that is restarted (host and pid as before, its children's pids, too) would find its predecessor's
    jobs among its own, take them for its busy children's, and renew their leases for ever.
    """
    return f"{service}@{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


@dataclass
class Runtime:
    """One per process; pool children inherit the parent's name, because leases belong to the worker as a whole."""

    service: Service
    worker: str = ""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """Every kind's handler, the platform's own included: a doorbell of one kind may lead to a job of another."""
    explanations: dict[int, str] = field(default_factory=dict)
    """Why a child is about to die, by its pid, where this worker knows (a time limit)."""

    ears: Ears = field(default_factory=Ears)
    """What the parent's consumer hears."""

    away: Away = field(default_factory=Away)
    """Whether its broker is away."""

    warmth: Warmth = field(default_factory=Warmth)
    """Which of its children have loaded everything."""

    queues: tuple[str, ...] = ()
    """What this worker consumes, most urgent first; known before it forks."""

    @cached_property
    def ledger(self) -> Ledger:
        """The service's ledger; its connections notice a fork."""
        settings = self.service.settings
        return Ledger(settings.redis_url, self.service.name, rings_here=settings.rings_in_ledger)

    @cached_property
    def storage(self) -> Storage:
        """Where inputs and artifacts lie."""
        return Storage.at(self.service.settings.storage_url)

    @cached_property
    def bus(self) -> Bus:
        """The service's broker."""
        return Bus(self.service.name, self.service.settings, self.service.contract.needs)

    def forget_connections(self) -> None:
        """After a fork: no connection of the parent's is used in the child."""
        for name in ("ledger", "storage", "bus"):
            self.__dict__.pop(name, None)
