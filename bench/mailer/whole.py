"""Our whole path: an uploaded list is planned, cut into batches and mailed, each batch a job, every recipient in journal and files.

Each process does what a child of a worker's pool does: claim, render, MIME, send, note in the ledger, settle; at the end one of them
writes `recipients.csv`. The ledger is the one that MAILER_REDIS_URL names; BENCH_CHILDREN says how many processes.
"""

import csv
import io
import json
import os
import time

import structlog

from bench.mailer.letter import HTML, SENDER, SUBJECT, person
from services.mailer.policy import POLICY
from services.mailer.settings import settings
from services.mailer.tasks import HANDLERS
from shared.bus import envelope_text
from shared.contracts.mailer import CONTRACT, SendMailing
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.runtime import attempt
from shared.runtime.runtime import Runtime
from shared.service import Service

UPLOAD = "upl_0123456789abcdef"
helpers: list[int] = []
"""The writing ends of the other children's pipes."""


def runtime() -> Runtime:
    """As a pool child has it; log lines below error are not written."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    return Runtime(Service(CONTRACT, POLICY, settings(), HANDLERS), worker=f"bench@{os.getpid()}", handlers=HANDLERS)


def prepare() -> None:
    """Fork the other children; each waits for the job's id."""
    for _ in range(int(os.environ.get("BENCH_CHILDREN", "1")) - 1):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(writing)
            work(runtime(), os.read(reading, 200).decode())
            os._exit(0)
        os.close(reading)
        helpers.append(writing)


def upload(count: int) -> bytes:
    """The list as a CSV."""
    text = io.StringIO()
    rows = csv.DictWriter(text, ("email", "name", "city", "number"))
    rows.writeheader()
    rows.writerows(person(number) for number in range(count))
    return text.getvalue().encode()


def submit(here: Runtime, count: int) -> str:
    """Accept the mailing, as the gateway does; its id."""
    blob = here.storage.put(f"uploads/{UPLOAD}", upload(count), "text/csv")
    request = json.dumps({"from": {"email": SENDER[0], "name": SENDER[1]}, "subject": SUBJECT, "html": HTML, "recipients": UPLOAD})
    job_id, kind = ids.new("mailer"), SendMailing.kind
    text = envelope_text(job_id=job_id, kind=kind, epoch=1, tenant="bench", request=request, blob="", trace={})
    bell = here.bus.bell(text, kind=kind, job_id=job_id, queue="mailer")
    inputs = json.dumps({UPLOAD: blob.model_dump()})
    here.ledger.run(calls.accept(NewJob(job_id, kind, "bench", "mailer", request, bell=bell, inputs=inputs)))
    return job_id


def work(here: Runtime, job_id: str) -> JobRecord:
    """Answer doorbells until the mailing is done."""
    bell = {"id": job_id, "kind": SendMailing.kind, "epoch": 1, "tenant": "bench", "trace": {}, "command": {}}
    while True:
        record = here.ledger.run(calls.read(job_id))
        if record is None or record.state.value in {"succeeded", "failed", "canceled"}:
            break
        if here.ledger.redis.rpop("mailer"):  # a doorbell, as the worker's parent takes it off the broker
            attempt.run(here, SendMailing.kind, bell, queue="mailer", pid=os.getpid())
        else:
            time.sleep(0.005)
    if record is None:
        raise RuntimeError("the mailing is not in the ledger")
    return record


def send(host: str, port: int, count: int) -> None:
    """From the accepted job to its result."""
    del host, port  # MAILER_SMTP_URL says it
    here = runtime()
    job_id = submit(here, count)
    for pipe in helpers:
        os.write(pipe, job_id.encode())
    record = work(here, job_id)
    result = record.json("result")
    if not result or result["sent"] != count:
        raise RuntimeError(f"the mailing ended with {result or record.text('error')}")
