"""`recipients.csv` and `recipients.jsonl` of a mailing that is over, with what came back since: two more columns.

Large files are not written anew for every bounce: the longer a file, the longer its bounces may wait, up to a quarter of an hour.
"""

import csv
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from services.mailer import fates
from services.mailer.verp import HALF_KEY
from shared.contracts.mailer import SUPPRESSIONS, Suppression, SuppressionReason
from shared.job import Caretaker, Job, PastJob, Register
from shared.ledger.ids import SYSTEM_TENANT
from shared.mailboxes import BadAddressError, folded, normalise

PAGE = 1_000
SMALL = 1_000_000
BYTES_A_SECOND = 100_000
LONGEST_WAIT = 900.0
COLUMNS = ("bounce", "bounce_time")
KEY = re.compile(r"<([0-9a-f]{32})@")
SUPPRESSING: dict[str, SuppressionReason] = {"hard": "hard-bounce", "complaint": "complaint"}
Noted = dict[str, dict[str, Any]]
"""By half key, what came back: `kind`, `words`, `at` (Unix ms), and whether its address is `known`."""


def amend(job: Job, care: Caretaker, register: str) -> tuple[int, int]:
    """Write what is noted into the files of mailings that are over. How many mailings were, and how many notes wait."""
    noted, after = care.register(register, tenant=SYSTEM_TENANT), ""
    amended = waiting = 0
    while page := noted.page(after=after, most=PAGE):
        after = max(page)
        # What lies on two pages of a mailing is written twice: rarer than it is worth a thought.
        for mailing, keys in groupby(sorted(page), key=lambda key: key.partition("/")[0]):
            job.checkpoint()
            some = {key.partition("/")[2]: page[key] for key in keys}
            if _amended(job, care, mailing, some):
                noted.remove([f"{mailing}/{half}" for half in some])
                amended += 1
            else:
                waiting += len(some)
    return amended, waiting


def _amended(job: Job, care: Caretaker, mailing: str, some: Noted) -> bool:
    """Is all that is noted of a mailing told (or nobody there to be told)?"""
    past = care.past(mailing)
    if past is None:
        return True
    files = {artifact.name: artifact for artifact in past.artifacts if artifact.name in fates.NAMES}
    if not past.done or not _due(some, sum(artifact.bytes for artifact in files.values())):
        return False
    if not files:
        return True
    made = {}
    found: dict[str, str] = {}
    for name, artifact in files.items():
        made[name] = job.workdir / name
        with care.open(artifact) as source:
            (_table if name == fates.TABLE else _lines)(source, made[name], some, found)
    _suppress(care.register(SUPPRESSIONS, tenant=past.tenant), past, some, found)
    return care.replace(past, made)


def _due(some: Noted, size: int) -> bool:
    oldest: float = min(each["at"] for each in some.values()) / 1_000
    return size < SMALL or time.time() - oldest >= min(size / BYTES_A_SECOND, LONGEST_WAIT)


def _told(noted: Mapping[str, Any]) -> tuple[str, str]:
    when = datetime.fromtimestamp(noted["at"] / 1_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"{noted['kind']} {noted['words']}".strip(), when


def _half_key(message_id: str) -> str:
    match = KEY.search(message_id)
    return match[1][:HALF_KEY] if match else ""


def _table(source: Path, target: Path, some: Noted, found: dict[str, str]) -> None:
    """The CSV, with the columns added where they are not there yet; whose row it was goes into `found`."""
    with source.open(encoding="utf-8", newline="") as old, target.open("w", encoding="utf-8", newline="") as new:
        rows, out = csv.reader(old), csv.writer(new)
        columns = next(rows, list(fates.COLUMNS))
        all_columns = [*columns, *(column for column in COLUMNS if column not in columns)]
        identity, email, bounce = (all_columns.index(name) for name in ("message_id", "email", COLUMNS[0]))
        room = [""] * (len(all_columns) - len(columns))
        out.writerow(all_columns)
        for row in rows:
            row.extend(room)
            half = _half_key(row[identity])
            if half in some:
                found[half] = row[email]
                row[bounce : bounce + len(COLUMNS)] = _told(some[half])
            out.writerow(row)


def _lines(source: Path, target: Path, some: Noted, found: dict[str, str]) -> None:
    """The JSON lines; only those that something came back for are touched."""
    with source.open(encoding="utf-8") as old, target.open("w", encoding="utf-8") as new:
        for line in old:
            half = _half_key(line)
            if half in some:
                row = json.loads(line)
                found[half] = row.get("email", "")
                row.update(zip(COLUMNS, _told(some[half]), strict=True))
                new.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            else:
                new.write(line)


def _suppress(register: Register, past: PastJob, some: Noted, found: Mapping[str, str]) -> None:
    """Those whose address only the mailing's own file knew."""
    for half, email in found.items():
        noted = some[half]
        if noted["known"] or noted["kind"] not in SUPPRESSING:
            continue
        try:
            address = folded(normalise(email))
        except BadAddressError:
            continue
        fact = Suppression(reason=SUPPRESSING[noted["kind"]], at=noted["at"], mailing=past.id, note=noted["words"][:200])
        register.keep({address: fact.model_dump(exclude_defaults=True)}, over=fact.over)
