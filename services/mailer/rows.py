"""Recipients as they arrive: an inline list, CSV or JSON lines, read row by row in constant memory.

A row is a `Recipient` or a `Rejected` with the reason; nothing is dropped in silence. Row numbers are what a spreadsheet or
an editor shows: the CSV's header is row 1, a JSON line counts from 1, and so does an inline list.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from shared.contracts.mailer import Recipient
from shared.errors import PermanentError
from shared.mailboxes import BadAddressError, normalise

MAX_LINE = 1_000_000
POINTER = "/recipients"
FIRST_DATA_ROW = 2


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that nobody is mailed for, and why."""

    row: int
    email: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A good row; `address` is the normalised form of the recipient's address, `line` the recipient as JSON."""

    row: int
    address: str
    recipient: Recipient
    line: str


def from_list(recipients: Iterable[Recipient]) -> Iterator[Row | Rejected]:
    """The rows of an inline list."""
    for number, recipient in enumerate(recipients, start=1):
        yield _checked(number, recipient)


def from_file(path: Path) -> Iterator[Row | Rejected]:
    """The rows of an upload: JSON lines where its first character is `{`, otherwise CSV.

    Raises `PermanentError` where the file as a whole makes no sense (no `email` column, a JSON array).
    """
    with path.open("rb") as file:
        start = file.read(4_096).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        if start.startswith(b"["):
            raise PermanentError("the upload is a JSON array; send JSON lines: one object a line, no brackets", pointer=POINTER)
        yield from _from_json_lines(file) if start.startswith(b"{") else _from_csv(file)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Text lines of bounded length; bytes that are not UTF-8 become surrogates, which `_checked` refuses by row."""
    encoding = "utf-8-sig"
    while line := file.readline(MAX_LINE):
        yield line.decode(encoding, errors="surrogateescape")
        encoding = "utf-8"


def _from_json_lines(file: BinaryIO) -> Iterator[Row | Rejected]:
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Rejected(number, "", f"not JSON: {error}")
            continue
        if not isinstance(data, dict):
            yield Rejected(number, "", "a line must be a JSON object")
            continue
        yield _from_mapping(number, data)


def _from_mapping(number: int, data: dict[str, Any]) -> Row | Rejected:
    """`email`, `name` and `vars` are what they say; other keys are variables too, so that flat objects work."""
    known: dict[str, Any] = {key: data.pop(key) for key in ("email", "name", "vars") if key in data}
    if isinstance(known.get("vars", {}), dict):
        known["vars"] = {**data, **known.get("vars", {})}
    return _validated(number, known)


def _from_csv(file: BinaryIO) -> Iterator[Row | Rejected]:
    lines = _lines(file)
    first = next(lines, "")
    if not first.strip():
        raise PermanentError("the upload is empty; its first row must name the columns", pointer=POINTER)
    delimiter = max(",;\t", key=first.count)
    columns = _columns(next(csv.reader([first], delimiter=delimiter)))
    reader = csv.reader(lines, delimiter=delimiter)
    number = FIRST_DATA_ROW - 1
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Rejected(number, "", f"not CSV: {error}")
            continue
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield _from_cells(number, columns, cells)


def _columns(header: list[str]) -> list[str]:
    """Column names as variables: `E-Mail`'s case and blanks do not matter for email and name, `First Name` → `First_Name`."""
    names = [name.strip() for name in header]
    names = [name.lower() if name.lower() in {"email", "name"} else re.sub(r"\W+", "_", name) for name in names]
    if "email" not in names:
        raise PermanentError(f"the upload's header row has no column 'email'; it has: {', '.join(header)[:200]}", pointer=POINTER)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise PermanentError(f"the upload's header row names a column twice: {', '.join(twice)}", pointer=POINTER)
    return names


def _from_cells(number: int, columns: list[str], cells: list[str]) -> Row | Rejected:
    if len(cells) > len(columns):
        email = cells[columns.index("email")]
        return Rejected(number, email, f"{len(cells)} cells, but the header has {len(columns)}; is a quote missing?")
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
    known: dict[str, Any] = {key: values.pop(key).strip() for key in ("email", "name") if key in values}
    return _validated(number, {**known, "vars": values})


def _validated(number: int, data: dict[str, Any]) -> Row | Rejected:
    email = str(data.get("email") or "").strip()
    if not email:
        return Rejected(number, "", "email is missing")
    try:
        address = normalise(email)
        recipient = Recipient.model_validate({**data, "email": email})
        line = recipient.model_dump_json(exclude_unset=True)
    except BadAddressError as error:
        return Rejected(number, email, str(error))
    except PydanticSerializationError:
        return Rejected(number, email, "a value is not UTF-8")
    except ValidationError as error:
        first = error.errors()[0]
        return Rejected(number, email, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return Row(number, address, recipient, line)


def _checked(number: int, recipient: Recipient) -> Row | Rejected:
    try:
        return Row(number, normalise(recipient.email), recipient, recipient.model_dump_json(exclude_unset=True))
    except BadAddressError as error:
        return Rejected(number, recipient.email, str(error))
    except PydanticSerializationError:
        return Rejected(number, recipient.email, "a value is not UTF-8")
