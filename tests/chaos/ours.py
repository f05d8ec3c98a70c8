"""Our side: jobs over HTTP with idempotency keys, the probe service, everything killed, every job accounted for."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import structlog

from shared.bus import queue_names
from shared.contracts.states import TERMINAL, State
from shared.ledger import calls
from shared.ledger.store import Ledger
from tests.chaos import marks
from tests.chaos.arena import Arena, arena, insist
from tests.chaos.battle import fight, quiet
from tests.chaos.load import Load
from tests.chaos.storm import Disturbance
from tests.chaos.supervised import Supervised
from tests.chaos.tally import RESCUE_WITHIN, Tally
from tests.probe.sink import Sink
from tests.servers import free_port, wait_until

log = structlog.get_logger()
ENDS = {f"job.{state}" for state in TERMINAL}
PATIENCE = 60.0
NO_ROOM = "No space left on device"


class Side:
    """Submits, looks and counts. `fans`: the share of jobs that leave their work to three children."""

    def __init__(self, field: Arena, *, port: int, seed: int, fans: float) -> None:
        self._arena, self._url, self._seed, self._fans = field, f"http://127.0.0.1:{port}", seed, fans
        self._local = threading.local()
        self.ledger = Ledger(field.direct, "probe", rings_here=True)
        self.load: Load | None = None
        self._done: set[str] = set()

    def submit(self, number: int, seconds: float) -> str:
        """One POST, with the key that makes its repetition harmless."""
        if not hasattr(self._local, "client"):
            key = (self._arena.folder / "api-key").read_text().strip()
            self._local.client = httpx.Client(base_url=self._url, headers={"Authorization": f"Bearer {key}"}, timeout=10)
        body = {"what": "charge", "seconds": seconds, "marks": str(self._arena.book.path)}
        if self._fans and number % round(1 / self._fans) == 0:
            body = {**body, "what": "fan", "parts": 3, "part": "charge"}
        answer = self._local.client.post("/v1/acts", json=body, headers={"Idempotency-Key": f"{self._seed}-{number}"})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def unfinished(self) -> int:
        """Accepted jobs that are not done."""
        accepted = set(self.load.accepted.copy().values()) if self.load else set()
        for job_id in accepted - self._done:
            record = insist(lambda job_id=job_id: self.ledger.run(calls.read(job_id)))  # type: ignore[misc]  # a lambda's default
            if record is not None and record.done:
                self._done.add(job_id)
        return len(accepted - self._done)

    def _tell(self, rescue: marks.Rescue) -> None:
        """What happened to a job that was slow to run again, in seconds since the kill."""
        course = [
            (round(event.time / 1e3 - rescue.killed_at, 1), event.type, event.data)
            for event in self.ledger.run(calls.events(rescue.job)).events
        ]
        struck = [
            (round(at - rescue.killed_at, 1), what) for at, what in self._arena.history if -1 < at - rescue.killed_at < rescue.seconds
        ]
        log.warning("rescued_late", job=rescue.job, seconds=round(rescue.seconds, 1), course=course, struck=struck)

    def tally(self, seconds: float) -> Tally:
        """Everything counted, from the ledger, the marks and the sink."""
        states, twice, full = Counter[str](), 0, 0
        for job_id in set(self.load.accepted.values()) if self.load else ():
            record = self.ledger.run(calls.read(job_id))
            page = self.ledger.run(calls.events(job_id, most=10_000))
            assert list(range(1, page.last + 1)) == [event.seq for event in page.events], f"{job_id}: a gap in its events"
            full += sum(NO_ROOM in str(event.data) for event in page.events if event.type == "job.retrying")
            ends = [event.type for event in page.events if event.type in ENDS]
            states[record.state if record else "gone"] += 1
            twice += len(ends) > 1
            assert not ends or page.events[-1].type in ENDS, f"{job_id}: an event after the last"
        listed = [f"{self.ledger.prefix}jobs:default:{state}" for state in State]
        known = sum(insist(lambda key=key: self.ledger.redis.zcard(key)) for key in listed)  # type: ignore[misc]  # a lambda's default
        left = self._arena.book.marks()
        victims, rescue = marks.rescues(left, self._arena.kills)
        for one in rescue:
            if one.seconds > RESCUE_WITHIN:
                self._tell(one)
        done = sum(states[state] for state in TERMINAL)
        return Tally(
            name="Counterfoil",
            accepted=states.total(),
            accepted_twice=int(known) - states.total(),
            succeeded=states[State.SUCCEEDED],
            lost=states.total() - done,
            dead_lettered=states[State.FAILED],
            full_disk=full if self._arena.disk else None,
            settled_twice=twice,
            reran=sum(n > 1 for n in marks.counts(left, "did").values()),
            plain_twice=sum(n > 1 for n in marks.counts(left, "plain").values()),
            once_twice=sum(n > 1 for n in Sink(self._arena.folder / "sink").counts().values()),
            victims=victims,
            rescue=[one.seconds for one in rescue],
            counters=self.ledger.run(calls.stats(queue_names("probe")))["counters"],
            seconds=seconds,
        )


def battle(
    folder: Path, storm: Sequence[Disturbance], *, jobs: int, seed: int, workers: int, fans: float = 0.0, with_rabbit: bool = False
) -> tuple[Tally, Arena]:
    """The whole of it. `with_rabbit`: RabbitMQ carries the doorbells. Where the storm fills a disk, the storage gets one."""
    port = free_port()
    disk_for = jobs if any(blow.what == "full" for blow in storm) else 0

    def env(made: Arena) -> Mapping[str, str]:
        own = {"PROBE_REDIS_URL": made.url, "PROBE_HOME": str(folder), "COUNTERFOIL_REDIS_URL": made.url, "COUNTERFOIL_HOME": str(folder)}
        own["PROBE_MAX_ATTEMPTS"] = "100"  # a disk is full for longer than three quick attempts take
        return {**own, "COUNTERFOIL_BROKER_URL": made.broker} if made.broker else own

    given: dict[str, Any] = {
        "queues": queue_names("probe"),
        "workers": workers,
        "env": env,
        "with_rabbit": with_rabbit,
        "small_disk_for": disk_for,
    }
    with arena(folder, app="tests.probe.app", **given) as field:
        command = [sys.executable, "-m", "uvicorn", "--factory", "tests.probe.gateway:app", "--host", "127.0.0.1", "--port", str(port)]
        with Supervised([*command, "--no-access-log"], env=env(field), log=folder / "gateway.log") as field.gateway:
            side = Side(field, port=port, seed=seed, fans=fans)
            wait_until((folder / "api-key").exists, "the gateway has written its first key", seconds=60)
            wait_until(
                lambda: len(side.ledger.run(calls.stats(queue_names("probe")))["workers"]) == workers, "the workers are ready", seconds=90
            )
            began = time.monotonic()
            side.load = Load(side.submit, jobs=jobs, seed=seed)
            fight(field, side.load, storm, unfinished=side.unfinished)
            quiet(side.unfinished, patience=PATIENCE)
            return side.tally(time.monotonic() - began), field
