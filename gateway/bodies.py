"""Reads JSON bodies: right media type, within the limit, strictly JSON."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from gateway.pointers import validation_problem
from gateway.problems import Problem, invalid

Model = TypeVar("Model", bound=BaseModel)


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


def parsed(body: bytes) -> Any:
    """The JSON value in `body`; raises Problem 422 that says where it stops being JSON."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}") from error


def validated(model: type[Model], value: Any) -> Model:
    """`value` as a `model`; raises Problem 422 whose pointers lead into `value`. Unknown fields are refused.

    Readers of messages ignore unknown fields; a user's are refused, because silently ignoring a request is not doing it.
    """
    try:
        return model.model_validate(value, extra="forbid")
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_context=False, include_input=False), value) from error
