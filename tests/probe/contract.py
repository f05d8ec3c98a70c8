"""The probe's messages; with PROBE_CONTRACT=next those of a later release: an optional field more in command and result."""

import os
from typing import ClassVar

from shared.contracts.base import Command, Result
from shared.contracts.registry import Contract
from shared.contracts.upkeep import MeasureQueues, Sweep


class ProbeResult(Result):
    """What a probe says when it is done."""

    said: str
    attempt: int = 0
    children: list[str] = []


class Act(Command):
    """Do `what` for `seconds`, leaving a line in the file `marks` when the work is done."""

    kind: ClassVar[str] = "probe.act.v1"
    route: ClassVar[str | None] = "acts"
    result: ClassVar[type[Result]] = ProbeResult
    needs: ClassVar[tuple[str, ...]] = ("rare",)

    what: str = "work"
    seconds: float = 0.0
    marks: str = ""
    until_attempt: int = 1
    parts: int = 0
    part: str = "work"
    rare: bool = False

    def need(self) -> str | None:
        """What few machines have."""
        return "rare" if self.rare else None


class NextProbeResult(ProbeResult):
    """Of the next release."""

    tempo: str | None = None


class NextAct(Act):
    """Of the next release: the same kind, with an optional field more."""

    result: ClassVar[type[Result]] = NextProbeResult

    tempo: str = "andante"


class SweepProbe(Sweep):
    """The probe's sweep."""

    kind: ClassVar[str] = "probe.sweep.v1"


class MeasureProbe(MeasureQueues):
    """The probe's look at its queues."""

    kind: ClassVar[str] = "probe.measure.v1"


ACT = NextAct if os.environ.get("PROBE_CONTRACT") == "next" else Act
CONTRACT = Contract("probe", "For tests", (ACT, SweepProbe, MeasureProbe))
