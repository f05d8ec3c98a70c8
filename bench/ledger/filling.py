"""Fills a ledger with finished jobs, as fast as the server copies: one is made by the ledger's own scripts, the rest are its copies.

What belongs to a job is looked up, not known here: every key with its id in the name, every sorted set with its id in it.
"""

from pathlib import Path
from typing import Any, cast

from shared.bus import message
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

REQUEST = '{"seed":"ada@example.com","variants":4}'
RESULT = '{"variants":[],"detail":"as an avatar of four variants would say in some eighty characters"}'
TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
KIND = "avatar.generate.v1"
AT_ONCE = 500
TENANT = "bench"


class Hands:
    """A gateway's and a worker's hands on a ledger, without either."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.worker = 10_000

    def accept(self, *, request: str = REQUEST) -> str:
        """A queued job with a doorbell of the usual size."""
        job_id = ids.new(self.ledger.service)
        envelope = f'{{"id": "{job_id}", "kind": "{KIND}", "epoch": 1, "tenant": "{TENANT}", "command": {request}}}'
        bell = message(envelope, kind=KIND, job_id=job_id, queue="avatar")
        self.ledger.run(calls.accept(NewJob(job_id, KIND, TENANT, "avatar", request, bell=bell, trace=TRACE)))
        return job_id

    def claim(self, job_id: str) -> JobRecord:
        """The job whose turn it is, claimed; its doorbell is taken off the broker's list."""
        self.ledger.redis.lpop("avatar")
        self.worker += 1
        name = f"avatar@a-host-of-some-name:{self.worker}:0a1b2c3d"  # one job each, as a worker with two children has two
        call = calls.claim(job_id, worker=name, pid=7, lease_ms=15_000, nonce=ids.ulid(), queue="avatar")
        record = self.ledger.run(call)
        if not isinstance(record, JobRecord):
            raise TypeError(f"the ledger did not give the job out: {record.word}")
        return record

    def succeed(self, record: JobRecord) -> None:
        """The job done."""
        self.ledger.run(calls.succeed(record.id, record.token, RESULT, "[]"))

    def finish_one(self, *, request: str = REQUEST) -> str:
        """A whole life; the job's id."""
        record = self.claim(self.accept(request=request))
        self.succeed(record)
        return record.id


def fill(hands: Hands, number: int) -> None:
    """Add `number` finished jobs."""
    template, server, prefix = hands.finish_one(), hands.ledger.redis, hands.ledger.prefix
    own, lists = [], []
    for key in cast("list[str]", server.keys(f"{prefix}*")):
        name = key.removeprefix(prefix)
        if name.endswith(template):
            own.append(name.removesuffix(template))
        elif server.type(key) == "zset" and server.zscore(key, template) is not None:
            lists.append(name)
    head: list[Any] = [template, len(own), *own, len(lists), *lists]
    copy = server.register_script(Path(__file__).with_name("fill.lua").read_text(encoding="utf-8"))
    for start in range(0, number - 1, AT_ONCE):
        copy(keys=[prefix], args=[*head, *(ids.new(hands.ledger.service) for _ in range(min(AT_ONCE, number - 1 - start)))])


def memory(ledger: Ledger) -> int:
    """Bytes that the server has handed out."""
    return int(ledger.redis.info("memory")["used_memory"])
