"""The journal of a job's side effects (L10): what `job.once` (script `once`) and `job.effects` (script `effects`) say to the ledger.

Fenced: whoever lost the job can neither begin an effect nor note one. A journal belongs to the job, not to the epoch: a redrive
skips what was done before it. It goes when the job has succeeded, for such a job never runs again, or is forgotten.
"""

from collections.abc import Iterable, Sequence

from shared.errors import StaleTokenError
from shared.ledger.calls import Answer, Arg, Call
from shared.ledger.record import pairs


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


def _rest(reply: Sequence[str]) -> list[str]:
    if reply[0] == "stale":
        raise StaleTokenError("the ledger refused the write: this attempt no longer holds the job")
    return list(reply[1:])


def known(job_id: str, token: int | None) -> Call[dict[str, str]]:
    """The whole journal, as kept: `intent …`, `done JSON`, `open JSON`. `token` None: a parent's look. Raises StaleTokenError."""
    return Call("effects", (job_id, "" if token is None else token), lambda reply: pairs(_rest(reply)))


def note(job_id: str, token: int, notes: Iterable[tuple[str, str, str]]) -> Call[list[str]]:
    """(key, word, JSON) for each: begin, done, open. Answers the keys that cannot begin, being done. Raises StaleTokenError."""
    args: list[Arg] = [job_id, token]
    for each in notes:
        args += each
    return Call("effects", tuple(args), _rest)
