"""A service, as the platform sees it: its contract, policy, settings and handlers. Pure data; no broker in sight."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Result
from shared.contracts.registry import Contract
from shared.job import FanOut
from shared.policy import Policy
from shared.settings import ServiceSettings

Handler = Callable[[Any, Any], Result | FanOut]
"""`handler(command, job)`: its first parameter is annotated with the command it handles, its second with `Job`."""

Catalogue = Callable[[], Mapping[str, Any]]
"""What the service offers (styles, presets), as JSON; shown by `GET /v1/services`."""


@dataclass(frozen=True, slots=True)
class Service:
    """Everything `shared.worker.make_app` needs to run a service."""

    contract: Contract
    policy: Policy
    settings: ServiceSettings
    handlers: Mapping[str, Handler]
    """By kind. The upkeep kinds (sweep, measure) are the platform's and need none."""
    catalogue: Catalogue = dict
    warm_up: Callable[[], None] | None = None
    """Called once in each pool child after the fork, in the background: load models here, never at import."""
    warm_up_for: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """Need → what `warm_up` is followed by in a worker that listens to a queue of that need: what only its machines can load."""
    preflight: Callable[[], object] | None = None
    """Called once in the worker's parent before it forks; raises SettingsError to refuse to start (a program below its version floor)."""
    checks: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """What the service stands on besides ledger, broker and storage: name → a look at it, which raises an error that says what to do."""
    schedule: Mapping[str, str] | None = None
    """Built-in schedules: kind → cron expression in UTC. None takes the default upkeep."""

    @property
    def name(self) -> str:
        """The service's name, as in its contract."""
        return self.contract.name
