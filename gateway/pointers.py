"""From pydantic's error locations to RFC 6901 pointers into what the user really sent.

Pydantic's `loc` also names branches of a union and validators (`recipients → list[Recipient] → 0 → email`); a user has no
such field. So a location is walked through the user's own value, and what does not lead anywhere is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from gateway.problems import Problem

MOST = 50
"""Errors listed at most: a mailing with 100,000 wrong addresses is told of the first fifty."""
LONGEST = 200
"""Characters of a pointer in the sentence; the list below it has the whole."""
CONSIDERED = 1_000
"""Errors looked at, at most: the event loop has more to do."""

_NAMES_A_FIELD = frozenset({"missing", "extra_forbidden", "invalid_key"})
_ROOMS = {"query": "query", "path": "path", "header": "header", "cookie": "cookie"}


def pointer(segments: Iterable[str | int]) -> str:
    """An RFC 6901 pointer: `~` becomes `~0`, `/` becomes `~1`."""
    return "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def validation_problem(errors: Sequence[ErrorDetails] | Sequence[Any], value: Any = ...) -> Problem:
    """The `invalid-request` for pydantic's `errors` about `value`, the parsed JSON body.

    Without `value` the locations are taken as they are. No input is repeated in it. Where a field has several forms
    (a list, or an upload's id) the errors of the form that came furthest win.
    """
    found = [_located(error["loc"], error["type"], value) for error in errors[:CONSIDERED]]
    above = {at[:end] for at, _ in found for end in range(len(at)) if at[end] == "/"}
    listed: dict[tuple[str, str], dict[str, str]] = {}
    for (at, of_branch), error in zip(found, errors, strict=False):
        if of_branch and at in above:
            continue
        message = error["msg"].removeprefix("Value error, ")
        listed.setdefault((at, message), {"pointer": at, "message": message})
    kept = list(listed.values())
    first = kept[0]
    where = first["pointer"].removeprefix("/") or "the body"
    detail = f"{where if len(where) <= LONGEST else where[:LONGEST] + '…'}: {first['message']}"
    if len(kept) > 1:
        detail += f" (and {'at least ' if len(errors) > CONSIDERED else ''}{len(kept) - 1} more)"
    return Problem("invalid-request", detail, errors=kept[:MOST])


def _located(loc: Sequence[str | int], kind: str, value: Any) -> tuple[str, bool]:
    """The pointer, and whether the location ended in a union's branch."""
    if value is ...:
        return pointer(loc), False
    node, segments, of_branch = value, list[str | int](), False
    for index, segment in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(node, Mapping) and (segment in node or (last and kind in _NAMES_A_FIELD)):
            segments.append(segment)
            node = node.get(segment)
        elif isinstance(node, list) and isinstance(segment, int) and segment < len(node):
            segments.append(segment)
            node = node[segment]
        else:
            of_branch = True
    return pointer(segments), of_branch


def request_problem(errors: Sequence[Any], body: Any) -> Problem:
    """The problem for FastAPI's errors, whose locations begin with the part of the request: body, query, path or header."""
    of_body = [{**error, "loc": error["loc"][1:]} for error in errors if error["loc"][:1] == ("body",)]
    if of_body:
        return validation_problem(of_body, body)
    listed = [
        {"pointer": pointer([_ROOMS.get(str(error["loc"][0]), "body"), *error["loc"][1:]]), "message": error["msg"]}
        for error in errors[:MOST]
    ]
    return Problem("invalid-request", f"{listed[0]['pointer'].removeprefix('/')}: {listed[0]['message']}", errors=listed)
