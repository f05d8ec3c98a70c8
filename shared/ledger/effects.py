"""The journal of a job's side effects (L10): what `job.once` says to the ledger. One call, one script: `once`.

Fenced: whoever lost the job can neither begin an effect nor note one. A journal belongs to the job, not to the epoch: a redrive
skips what was done before it. It goes when the job goes.
"""

from collections.abc import Sequence

from shared.errors import StaleTokenError
from shared.ledger.calls import Answer, Call


def _answer(reply: Sequence[str]) -> Answer:
    if reply[0] == "stale":
        raise StaleTokenError("the ledger refused the write: this attempt no longer holds the job")
    return Answer(reply[0], reply[1])


def begin(job_id: str, token: int, key: str, *, nonce: str) -> Call[Answer]:
    """Write the intent. Answers: open, done (the kept value as JSON), unknown. Raises StaleTokenError."""
    return Call("once", (job_id, token, key, "begin", nonce), _answer)


def done(job_id: str, token: int, key: str, *, nonce: str, value: str) -> Call[Answer]:
    """The effect happened; `value` (JSON) is what later tries get. Raises StaleTokenError."""
    return Call("once", (job_id, token, key, "done", nonce, value), _answer)


def withdraw(job_id: str, token: int, key: str, *, nonce: str) -> Call[Answer]:
    """The effect certainly did not happen: take the intent back, where it is still this try's. Raises StaleTokenError."""
    return Call("once", (job_id, token, key, "withdraw", nonce), _answer)
