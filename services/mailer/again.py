"""Whom a mailing is for: a list, an upload, or those of an earlier mailing who are still without it.

What an earlier one says of its recipients stands in its `recipients.jsonl`; the values of their variables stand where it had them from,
which may be an earlier mailing in its turn.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from services.mailer import fates
from services.mailer.rows import Rejected, Row, from_file, from_list
from shared.contracts.base import Blob
from shared.contracts.mailer import Recipient, RecipientsOf, SendMailing, Who
from shared.errors import PermanentError
from shared.job import Job
from shared.mailboxes import BadAddressError, normalise
from shared.past import Past

DEEPEST = 32
"""Mailings that may each stand on the one before it."""
STATES: Mapping[Who, frozenset[str]] = {
    "failed": frozenset({"failed"}),
    "missed": frozenset({"failed", "canceled", "rendered"}),
    "unknown": frozenset({"unknown"}),
}
POINTER = "/recipients/mailing"


def digest(address: str) -> bytes:
    """What an address is known by where many are kept: 16 bytes, for a million of them would be 90 MB."""
    return blake2b(address.encode(), digest_size=16).digest()


def listed(recipients: list[Recipient] | str | RecipientsOf, job: Job) -> Iterator[Row | Rejected]:
    """The rows of these recipients, in order. Raises `PermanentError` where an earlier mailing cannot say."""
    yield from _listed(recipients, job, job.input, 0)


def _listed(
    recipients: list[Recipient] | str | RecipientsOf, job: Job, input_of: Callable[[str], Blob], depth: int
) -> Iterator[Row | Rejected]:
    if isinstance(recipients, RecipientsOf):
        yield from _again(recipients, job, depth + 1)
    elif isinstance(recipients, str):
        with job.open(input_of(recipients)) as path:
            yield from from_file(path)
    else:
        yield from from_list(recipients)


def _again(wanted: RecipientsOf, job: Job, depth: int) -> Iterator[Row]:
    if depth > DEEPEST:
        raise PermanentError(f"more than {DEEPEST} mailings each name the one before it; send the list anew", pointer=POINTER)
    past = _past(wanted.mailing, job)
    command = SendMailing.model_validate_json(past.request)
    path = job.workdir / f"again-{depth}.sqlite"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as kept:
        _keep(kept, past, job, STATES[wanted.who])
        for row in _listed(command.recipients, job, past.inputs.__getitem__, depth):
            if isinstance(row, Row) and kept.execute("SELECT 1 FROM kept WHERE digest = ?", (digest(row.address),)).fetchone():
                yield row


def _past(mailing: str, job: Job) -> Past:
    past = job.past(mailing)
    if past is None or past.kind != SendMailing.kind:
        raise PermanentError(f"there is no mailing {mailing} that is done", type="unknown-mailing", pointer=POINTER)
    return past


def _keep(kept: sqlite3.Connection, past: Past, job: Job, states: frozenset[str]) -> None:
    """Those in one of these states, on disk."""
    made = next((each for each in past.artifacts if each.name == fates.LINES), None)
    if made is None:
        raise PermanentError(
            f"the mailing {past.id} ended ({past.state}) before it could say who got it; retry it instead",
            type="unknown-mailing",
            pointer=POINTER,
        )
    kept.execute("PRAGMA journal_mode = OFF")
    kept.execute("PRAGMA synchronous = OFF")
    kept.execute("CREATE TABLE kept (digest BLOB PRIMARY KEY) WITHOUT ROWID")
    kept.execute("BEGIN")
    with job.open(Blob(key=made.key, bytes=made.bytes, sha256=made.sha256)) as path:
        kept.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((each,) for each in _in_state(path, states)))


def _in_state(path: Path, states: frozenset[str]) -> Iterator[bytes]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            if told["state"] in states:
                try:
                    yield digest(normalise(told["email"]))
                except BadAddressError:  # it was one when it was planned
                    continue
