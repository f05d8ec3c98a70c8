"""Submitting: routes, bodies, idempotency, and which refusals are tried again."""

import json

import httpx
import pytest

from client.errors import (
    ClientError,
    ForbiddenError,
    InvalidRequestError,
    LimitedError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)
from client.problems import FieldError, Problem
from client.submitting import request_of, route_of
from shared.contracts.avatar import GenerateAvatar, SweepAvatar
from shared.contracts.mailer import SendMailing
from tests.unit.client_gateway import JOB, Gateway, problem


def test_a_typed_command_sends_only_what_was_set() -> None:
    """Defaults stay with the server: only fields that the user set are in the body."""
    path, body = request_of(GenerateAvatar(seed="ada"), None, {"priority": "high"})

    assert (path, body) == ("/v1/avatars", {"seed": "ada", "options": {"priority": "high"}})


def test_a_mailing_says_from_on_the_wire() -> None:
    """The field that Python cannot call `from` travels under that name."""
    mailing = SendMailing.model_validate({"from": {"email": "a@example.com"}, "subject": "s", "text": "t", "recipients": "upl_12345678"})
    _, body = request_of(mailing, None, None)

    assert body["from"] == {"email": "a@example.com"}


@pytest.mark.parametrize("what", ["avatar.generate.v1", "avatars", "avatar"])
def test_kind_route_and_singular_lead_to_one_route(what: str) -> None:
    """People may name a command in three ways."""
    assert route_of(what) == "avatars"


def test_an_unknown_route_is_the_gateways_to_judge() -> None:
    """An older client can submit to a service that it has never heard of."""
    assert route_of("holograms") == "holograms"


@pytest.mark.parametrize("what", ["avatar.sweep.v1", "nobody.knows.v1"])
def test_an_internal_or_unknown_kind_is_refused_with_the_public_ones(what: str) -> None:
    """The sentence names the kinds that can be submitted."""
    with pytest.raises(ClientError, match=r"avatar\.generate\.v1"):
        route_of(what)


def test_an_internal_command_is_refused() -> None:
    """Upkeep has no route."""
    with pytest.raises(ClientError, match="internal"):
        request_of(SweepAvatar(), None, None)


def test_submit_carries_key_idempotency_and_trace() -> None:
    """One POST with everything the contract asks for; the answer is the job."""
    gateway = Gateway(httpx.Response(202, json=JOB))
    job = gateway.client().submit("avatar", {"seed": "ada"}, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    sent = gateway.asked[0]

    assert JOB["id"] == job.id
    assert gateway.calls() == ["POST /v1/avatars"]
    assert sent.headers["authorization"] == "Bearer cf_key"
    assert len(sent.headers["idempotency-key"]) == 36
    assert sent.headers["traceparent"].startswith("00-0af7")
    assert json.loads(sent.content) == {"seed": "ada"}


def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    """The idempotency key makes repeating a submission safe, so a broken connection is no error."""
    gateway = Gateway(httpx.ReadError("reset"), problem(409, "idempotency-in-flight", "still at it"), httpx.Response(202, json=JOB))
    gateway.client().avatars(seed="ada")
    keys = {request.headers["idempotency-key"] for request in gateway.asked}

    assert len(gateway.asked) == 3
    assert len(keys) == 1


def test_what_may_not_happen_twice_is_not_repeated() -> None:
    """A retry opens a new epoch: when its answer is lost, nobody knows whether it did."""
    gateway = Gateway(httpx.ReadError("reset"))

    with pytest.raises(UnreachableError, match="http://gateway does not answer"):
        gateway.client().retry("avatar_1")
    assert len(gateway.asked) == 1


def test_a_request_that_never_left_is_repeated() -> None:
    """A refused connection did nothing, whatever the method."""
    gateway = Gateway(httpx.ConnectError("refused"), httpx.Response(202, json=JOB))

    assert gateway.client().retry("avatar_1").id == JOB["id"]


def test_retry_after_is_waited_out() -> None:
    """429 and 503 pause for as long as the gateway asks."""
    gateway = Gateway(
        problem(429, "rate-limited", "slow down", **{"retry-after": "3"}),
        problem(503, "queue-full", "full", **{"retry-after": "7"}),
        httpx.Response(202, json=JOB),
    )
    gateway.client().avatars(seed="ada")

    assert gateway.paused == [3.0, 7.0]


def test_a_long_retry_after_is_raised_with_its_seconds() -> None:
    """Nobody sits out a day's quota in a function call."""
    gateway = Gateway(problem(429, "quota-exceeded", "come back tomorrow", **{"retry-after": "3600"}))

    with pytest.raises(LimitedError, match="Come back tomorrow") as caught:
        gateway.client().avatars(seed="ada")
    assert caught.value.retry_after == 3600.0
    assert caught.value.problem.slug == "quota-exceeded"


def test_patience_ends() -> None:
    """After the last attempt the refusal is raised."""
    gateway = Gateway(*(problem(503, "unavailable", "the ledger does not answer") for _ in range(3)))

    with pytest.raises(UnavailableError, match="ledger"):
        gateway.client(attempts=3).avatars(seed="ada")
    assert len(gateway.paused) == 2


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, UnauthenticatedError), (403, ForbiddenError), (404, NotFoundError), (422, InvalidRequestError)],
)
def test_refusals_have_classes(status: int, expected: type[Exception]) -> None:
    """Each kind of refusal can be caught apart, and is not tried again."""
    gateway = Gateway(problem(status, "x", "no"))

    with pytest.raises(expected):
        gateway.client().avatars(seed="ada")


def test_a_problem_names_the_guilty_field() -> None:
    """The exception's sentence has the pointer and what is wrong there."""
    body = {
        "type": "invalid-request",
        "title": "t",
        "status": 422,
        "detail": "Bad body.",
        "errors": [{"pointer": "/size", "message": "too big"}],
    }
    gateway = Gateway(httpx.Response(422, json=body))

    with pytest.raises(InvalidRequestError, match=r"^Bad body\. \(/size: too big\)$"):
        gateway.client().avatars(seed="ada", size=10**9)


def test_a_proxys_page_is_still_a_sentence() -> None:
    """HTML from something in between becomes a short problem."""
    gateway = Gateway(httpx.Response(418, html="<h1>no</h1>"))

    with pytest.raises(ClientError, match="The gateway answered 418"):
        gateway.client().avatars(seed="ada")


def test_a_problem_says_nothing_twice() -> None:
    """Where the detail is the field's message, only the pointer is added."""
    problem_ = Problem(detail="too big", errors=[FieldError(pointer="/size", message="too big"), FieldError(message="too big")])

    assert problem_.sentence() == "Too big (/size)"
