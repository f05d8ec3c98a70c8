"""docs/reliability.md: the figures as they were counted, between two markers; what stands around them is kept."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.chaos.storm import Disturbance
from tests.chaos.tally import Tally, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
NAMES = {
    "worker": "SIGKILL of a whole worker",
    "child": "SIGKILL of a busy pool child",
    "gateway": "SIGKILL of the gateway",
    "server": "SIGKILL of the ledger's server",
    "broker": "SIGKILL of RabbitMQ",
    "freeze": "a worker frozen past its lease",
    "empty": "the broker's queues emptied",
    "cut": "every connection reset",
    "full": "the storage's disk full",
}


def section(tallies: Sequence[Tally], blows: Sequence[Disturbance], *, command: str, rabbit: bool) -> str:
    """One run: what was done to it, what was counted, how to do it again."""
    struck = Counter(NAMES[blow.what] for blow in blows)
    kind = "RabbitMQ, quorum queues" if rabbit else "Redis protocol, the ledger's own server"
    told = ", ".join(f"{count} × {name}" for name, count in struck.most_common())
    packages = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "redis"))
    place = f"{os.cpu_count()} cores · Python {platform.python_version()} · {packages} · AOF with appendfsync always · broker: {kind}"
    took = ", ".join(f"{one.name} {one.seconds:,.0f} s" for one in tallies)
    return f"{table(tallies)}\n\nStruck: {told}. Took: {took}.\n\n`{command}` · {place}"


def write(tallies: Sequence[Tally], blows: Sequence[Disturbance], *, command: str, rabbit: bool = False, page: Path = PAGE) -> None:
    """Put the section between its markers, which are there for each broker; a page without them gets them at its end."""
    name = "rabbitmq" if rabbit else "redis"
    begin, end = f"<!-- chaos {name}: written by `make chaos` -->", f"<!-- /chaos {name} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Reliability\n"
    head, found, rest = text.partition(begin)
    tail = rest.partition(end)[2] if found else ""
    body = section(tallies, blows, command=command, rabbit=rabbit)
    page.write_text(f"{head.rstrip()}\n\n{begin}\n{body}\n{end}\n\n{tail.lstrip()}".rstrip() + "\n", encoding="utf-8")
