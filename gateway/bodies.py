"""Reads JSON bodies: right media type, within the limit, strictly JSON."""

import re
from collections.abc import Iterator
from math import isinf
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from gateway.pointers import pointer, validation_problem
from gateway.problems import Problem, invalid

Model = TypeVar("Model", bound=BaseModel)

_NOT_FINITE = re.compile(rb"NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{309}")
"""What a number that is no finite double looks like; pydantic's own JSON reader takes the first two and makes `inf` of the others."""


def is_json(content_type: str | None) -> bool:
    """True for application/json and the `+json` types (RFC 6839), with any parameters."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


async def read_json(request: Request, *, empty: Any = ...) -> Any:
    """The parsed body. `empty` stands for a body of no bytes, where that is allowed.

    Raises Problem 415 for another media type and 422 for what is not JSON: NaN, Infinity, lone surrogates and bytes that
    are not UTF-8 are not (RFC 8259). The size is the middleware's business, which raises 413 while the body is read.
    """
    body = await request.body()
    if not body and empty is not ...:
        return empty
    if not is_json(request.headers.get("content-type")):
        raise Problem("unsupported-media", "send the body as application/json")
    return parsed(body)


def may_overflow(body: bytes) -> bool:
    """True where `body` may hold a number that is not a finite double; a few microseconds a kilobyte."""
    return _NOT_FINITE.search(body) is not None


def parsed(body: bytes) -> Any:
    """The JSON value in `body`; raises Problem 422 that says where it stops being JSON, or which number is too large for a double."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if may_overflow(body):
        for where in _infinities(value, ()):
            raise invalid("the number is too large", where)
    return value


def _infinities(value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(value, float) and isinf(value):
        yield pointer(path)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _infinities(item, (*path, key))


def validated(model: type[Model], value: Any) -> Model:
    """`value` as a `model`; raises Problem 422 whose pointers lead into `value`. Unknown fields are refused.

    Readers of messages ignore unknown fields; a user's are refused, because silently ignoring a request is not doing it.
    """
    try:
        return model.model_validate(value, extra="forbid")
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_context=False, include_input=False), value) from error
