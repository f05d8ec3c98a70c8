"""One attempt at a batch, as a process that a test may kill: `python -m tests.integration.mailer_attempt ROOT COMMAND.json`.

The settings come from the environment, as the worker's do. Exit 0: the batch ended and its recipients.csv lies in ROOT.
"""

import sys
from pathlib import Path

from services.mailer.tasks import HANDLERS
from shared.contracts.mailer import SendBatch
from tests.unit.mailer_job import MAILING, FakeJob


def main() -> None:
    """Run it."""
    root = Path(sys.argv[1])
    command = SendBatch.model_validate_json(Path(sys.argv[2]).read_bytes())
    job = FakeJob(root, id=f"{MAILING}.0")
    HANDLERS[SendBatch.kind](command, job)
    (root / "recipients.csv").write_text(job.artifact("recipients.csv"), encoding="utf-8")


if __name__ == "__main__":
    main()
