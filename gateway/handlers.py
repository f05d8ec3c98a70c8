"""Turns every error that reaches the edge of the application into a problem."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import redis.exceptions
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from gateway.bodies import is_json
from gateway.pointers import request_problem, validation_problem
from gateway.problems import Problem, of_status
from gateway.tracing import shown_path, trace_id_of
from shared.errors import BlobNotFoundError, StorageError, UnavailableError
from shared.storage import InvalidKeyError

Handler = Callable[[Request, Any], Awaitable[Response]]

log = structlog.get_logger()

BUSY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.ReadOnlyError, redis.exceptions.OutOfMemoryError)
"""Also `BusyLoadingError`, a ConnectionError: the server reads its AOF."""


def problem_of(error: Exception, request: Request) -> Problem:
    """The problem that `error` means to a client; anything unknown is `internal` and tells nothing."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return _of_the_framework(error, request)
        case RequestValidationError():
            if not is_json(request.headers.get("content-type")) and any(found["loc"][:1] == ("body",) for found in error.errors()):
                return Problem("unsupported-media", "send the body as application/json")
            return request_problem(error.errors(), error.body)
        case ValidationError():
            return validation_problem(error.errors(include_url=False, include_context=False, include_input=False))
        case _:
            return _of_a_backing_service(error)


def _of_the_framework(error: HTTPException, request: Request) -> Problem:
    # FastAPI hides what was raised while it read the body behind a 400.
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    headers = {"Allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return of_status(error.status_code, error.detail, headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at this path: Starlette's own Allow has those of the first one only."""
    found: set[str] = set()
    routers = [request.app.router]
    while routers:
        for route in routers.pop().routes:
            if (included := getattr(route, "original_router", None)) is not None:  # FastAPI keeps an included router whole
                routers.append(included)
            elif route.matches(request.scope)[0] is not Match.NONE:
                found |= route.methods or set()
    return ", ".join(sorted(found))


def _of_a_backing_service(error: Exception) -> Problem:
    match error:
        case BlobNotFoundError() | InvalidKeyError():
            return Problem("not-found", "there is nothing under this name")
        case UnavailableError():
            return Problem("unavailable", f"{error.what} does not answer; try again in a moment")
        case StorageError():
            return Problem("unavailable", "the storage does not answer; try again in a moment")
        case redis.exceptions.RedisError() if isinstance(error, BUSY):
            return Problem("unavailable", "the ledger does not answer; try again in a moment")
        case _:
            return Problem("internal", "this is our fault, and was logged under the trace id")


async def answer(request: Request, error: Exception) -> Response:
    """The response for `error`; what is our fault is logged with its trace, here and nowhere else."""
    problem, trace_id = problem_of(error, request), trace_id_of(request.scope)
    path: str = request.scope["path"]  # not request.url: that is made with the Host header, which may be anything
    if problem.slug == "internal":
        log.error("request_failed", method=request.method, path=shown_path(path), trace_id=trace_id, exc_info=error)
    elif problem.slug == "unavailable":
        log.warning("request_refused", method=request.method, path=shown_path(path), trace_id=trace_id, reason=str(error))
    return problem.response(instance=quote(path), trace_id=trace_id)


def install(app: FastAPI) -> None:
    """Register `answer` for everything that has a class of its own; the middleware calls it for the rest."""
    handled: tuple[type[Exception], ...] = (
        Problem, HTTPException, RequestValidationError, ValidationError, StorageError, UnavailableError, redis.exceptions.RedisError,
    )  # fmt: skip
    for kind in handled:
        app.add_exception_handler(kind, answer)
