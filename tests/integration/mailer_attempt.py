"""One attempt at a batch, as a process that a test may kill: `… -m tests.integration.mailer_attempt ROOT COMMAND.json REDIS JOB TOKEN`.

The settings come from the environment, as the worker's do; the journal is the ledger's, written under TOKEN. Exit 0: the batch ended
and its recipients.csv lies in ROOT.
"""

import sys
from pathlib import Path

from services.mailer.tasks import HANDLERS
from shared.contracts.mailer import SendBatch
from shared.ledger.store import Ledger
from shared.runtime.journal import Journal
from shared.runtime.lasting import LedgerThrottles
from tests.unit.mailer_job import FakeJob


def main() -> None:
    """Run it."""
    root, command, url, job_id, token = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    ledger = Ledger(url, "mailer", rings_here=True)
    journal = Journal(ledger.run, job_id, token, fresh=5.0, post=ledger.post)
    job = FakeJob(root, id=job_id, journal=journal, shared=LedgerThrottles(ledger.run, ledger))
    HANDLERS[SendBatch.kind](SendBatch.model_validate_json(command.read_bytes()), job)
    (root / "recipients.csv").write_text(job.artifact("recipients.csv"), encoding="utf-8")


if __name__ == "__main__":
    main()
