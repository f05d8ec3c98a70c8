"""Problems: their shape, their pointers, and that nothing internal leaks."""

import json
from typing import Annotated, Any

import pytest
import redis.exceptions
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.bodies import parsed, validated
from gateway.handlers import problem_of
from gateway.problems import TYPES, Problem, of_status
from shared.contracts.mailer import SendMailing
from shared.errors import BlobNotFoundError, StorageError, UnavailableError
from shared.storage import InvalidKeyError


def request() -> Request:
    """A bare request."""
    return Request({"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": []})


def pointers(problem: Problem) -> list[str]:
    """Where a problem points."""
    return [error["pointer"] for error in problem.errors]


def test_the_response_has_rfc_9457s_members() -> None:
    """Type, title, status, detail, instance, trace_id and errors; extra members do not shadow them."""
    problem = Problem("conflict", "it is done", errors=[{"pointer": "/a", "message": "x"}], extra={"status": 1, "job": "j"})
    response = problem.response(instance="/v1/x", trace_id="ab")

    assert response.status_code == 409
    assert response.media_type == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "job": "j",
        "status": 409,
        "type": "https://counterfoil.dev/problems/conflict",
        "title": TYPES["conflict"][1],
        "detail": "it is done",
        "instance": "/v1/x",
        "trace_id": "ab",
        "errors": [{"pointer": "/a", "message": "x"}],
    }


@pytest.mark.parametrize("slug", ["unavailable", "queue-full"])
def test_503_says_when_to_come_back(slug: str) -> None:
    """A default Retry-After, unless the raiser knows better."""
    plain = Problem(slug, "x").response(instance="/", trace_id="")
    known = Problem(slug, "x", headers={"Retry-After": "77"}).response(instance="/", trace_id="")

    assert int(plain.headers["retry-after"]) > 0
    assert known.headers["retry-after"] == "77"


ADA = {"email": "ada@example.com"}
MAIL: dict[str, Any] = {"from": ADA, "subject": "Hi", "text": "x", "recipients": [ADA]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**MAIL, "recipients": [ADA, {"email": "no"}]}, ["/recipients/1/email"]),
        ({**MAIL, "recipients": [{}]}, ["/recipients/0/email"]),
        ({**MAIL, "recipients": "upl_!"}, ["/recipients"] * 3),
        ({**MAIL, "from": {"email": "x"}}, ["/from/email"]),
        ({key: value for key, value in MAIL.items() if key != "from"}, ["/from"]),
        ({**MAIL, "headers": {"a/b~c": "x"}}, ["/headers/a~1b~0c"]),
        ({**MAIL, "headers": {"Subject": "x"}}, ["/headers"]),
        ({**MAIL, "options": {"labels": {"k": 1}}}, ["/options/labels/k"]),
        ({**MAIL, "typo": 1}, ["/typo"]),
        ({key: value for key, value in MAIL.items() if key != "text"}, [""]),
        ("text", [""]),
        (None, [""]),
    ],
)
def test_pointers_lead_into_the_body(body: Any, expected: list[str]) -> None:
    """Every pointer is a place in what the user sent (or where something is missing), never a union's branch."""
    with pytest.raises(Problem) as caught:
        validated(SendMailing, body)

    assert expected == pointers(caught.value)
    assert caught.value.status == 422


def test_a_hundred_thousand_mistakes_are_not_all_listed() -> None:
    """The list is cut; the detail says how many there are. No input is repeated."""
    with pytest.raises(Problem) as caught:
        validated(SendMailing, {**MAIL, "recipients": [{"email": "secret"}] * 50_000})

    assert len(caught.value.errors) == 50
    assert "at least 999 more" in caught.value.detail
    assert "secret" not in json.dumps([*caught.value.errors])


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b'{"a": NaN}', b"[Infinity]", b'"\\ud800"', b"\xff", b"[" * 50_000, b"{}{}"])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Strictly RFC 8259, and deep nesting is no crash."""
    with pytest.raises(Problem) as caught:
        parsed(body)

    assert pointers(caught.value) == [""]


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (HTTPException(404), "not-found"),
        (HTTPException(418), "invalid-request"),
        (HTTPException(502), "internal"),
        (BlobNotFoundError("x"), "not-found"),
        (InvalidKeyError("x"), "not-found"),
        (StorageError("x"), "unavailable"),
        (UnavailableError("ledger", "secret-host"), "unavailable"),
        (redis.exceptions.ConnectionError("secret-host"), "unavailable"),
        (redis.exceptions.BusyLoadingError("x"), "unavailable"),
        (redis.exceptions.ResponseError("secret-host"), "internal"),
        (RuntimeError("secret-host"), "internal"),
    ],
)
def test_every_error_has_a_problem(error: Exception, slug: str) -> None:
    """Each kind maps to its type, and no internal sentence gets out."""
    problem = problem_of(error, request())

    assert slug == problem.slug
    assert "secret-host" not in json.dumps(problem.body(instance="/", trace_id=""))


def test_a_problem_raised_while_the_body_is_read_survives_fastapi() -> None:
    """FastAPI wraps whatever a body read raises into a 400; the cause is what the client is told."""
    hidden = HTTPException(400, "There was an error parsing the body")
    hidden.__cause__ = Problem("payload-too-large", "x")

    assert problem_of(hidden, request()).slug == "payload-too-large"


def test_framework_headers_are_kept() -> None:
    """A 405 without its Allow would break RFC 9110."""
    assert of_status(405, "Method Not Allowed", {"Allow": "GET"}).headers == {"Allow": "GET"}


def test_a_plain_model_error_is_invalid_request() -> None:
    """A pydantic error that nobody translated still has pointers."""

    class Model(BaseModel):
        n: Annotated[list[int], Field(min_length=1)]

    with pytest.raises(ValueError, match="validation error") as caught:
        Model.model_validate({"n": ["x"]})

    assert pointers(problem_of(caught.value, request())) == ["/n/0"]
