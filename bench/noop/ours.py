"""The same job as a service of ours, with everything on: ledger, lease, events, attempt log, spans, log lines."""

from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from shared.contracts.base import Command, Result
from shared.contracts.registry import Contract
from shared.job import Job
from shared.policy import Policy
from shared.service import Service
from shared.settings import ServiceSettings
from shared.worker import make_app


class Done(Result):
    """What came in."""

    number: int


class Do(Command):
    """Nothing."""

    kind: ClassVar[str] = "noop.do.v1"
    route: ClassVar[str | None] = "noops"
    result: ClassVar[type[Result]] = Done

    number: int = 0


class NoopSettings(ServiceSettings):
    """NOOP_*."""

    model_config = SettingsConfigDict(env_prefix="NOOP_", extra="ignore", frozen=True)


def do(command: Do, _job: Job) -> Done:
    """Nothing."""
    return Done(number=command.number)


CONTRACT = Contract("noop", "Does nothing", (Do,))
# As plain Celery's worker, this one keeps its children: how often they are replaced is each service's choice.
POLICY = Policy(concurrency=2, max_tasks_per_child=1_000_000)
app = make_app(Service(CONTRACT, POLICY, NoopSettings(), {Do.kind: do}, schedule={}))
