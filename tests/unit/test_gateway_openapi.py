"""The OpenAPI document: valid, complete, and true."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from gateway.app import make_app
from gateway.settings import GatewaySettings
from shared.contracts.base import Command
from shared.contracts.registry import contracts

Json = dict[str, Any]
METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
OPEN = {"/livez", "/readyz", "/metrics"}


@cache
def document() -> Json:
    """The document as a client gets it."""
    app = make_app(GatewaySettings(home=Path("home")))
    parsed: Json = json.loads(json.dumps(app.openapi()))
    return parsed


def operations() -> Iterator[tuple[str, str, Json]]:
    """Path, method, operation."""
    for path, item in document()["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def public_commands() -> list[type[Command]]:
    """What users may submit."""
    return [command for contract in contracts().values() for command in contract.commands if command.route]


def test_it_is_valid() -> None:
    """OpenAPI 3.1, without an error, and no reference leads nowhere."""
    text = json.dumps(document())
    known = {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]}
    used = {piece.split('"')[0] for piece in text.split('"$ref": "')[1:]}

    assert document()["openapi"].startswith("3.1")
    assert [] == [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()]
    assert set() == used - known


def test_what_receivers_are_sent_is_described() -> None:
    """OpenAPI's `webhooks`: the event as CloudEvents JSON, the three headers, and no answer but the receiver's."""
    told = document()["webhooks"]["job event"]["post"]

    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} == {each["name"] for each in told["parameters"]}
    assert ["application/cloudevents+json"] == list(told["requestBody"]["content"])
    assert {"204", "410"} == set(told["responses"])


def test_operation_ids_are_unique() -> None:
    """Generated clients name their functions by them."""
    ids = [operation["operationId"] for _, _, operation in operations()]

    assert len(set(ids)) == len(ids) > 25


def test_every_path_of_the_application_is_in_it() -> None:
    """What the contract names, and what the contracts bring."""
    named = {
        "/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/events", "/v1/jobs/{job_id}/cancel", "/v1/jobs/{job_id}/retry",
        "/v1/jobs/{job_id}/trace", "/v1/jobs/{job_id}/artifacts/{name}", "/v1/uploads", "/v1/uploads/{upload_id}", "/v1/dead-letters",
        "/v1/dead-letters/{entry_id}", "/v1/dead-letters/{entry_id}/redrive", "/v1/dead-letters/redrive", "/v1/services", "/v1/keys",
        "/v1/keys/{key_id}", "/v1/schedules", "/v1/schedules/{schedule_id}", "/v1/schedules/{schedule_id}/run", *OPEN,
    }  # fmt: skip

    assert named | {f"/v1/{command.route}" for command in public_commands()} <= set(document()["paths"])


def test_every_operation_says_what_it_does() -> None:
    """A summary, a description, and an answer that is no refusal."""
    for path, method, operation in operations():
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), (method, path)


def test_refusals_are_problems() -> None:
    """Every 4xx and 5xx is problem+json of the one shape; what needs a key says 401 and 403."""
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemShape"}}} == response["content"], path
        if operation.get("security"):
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), (method, path)


def test_what_needs_a_key_says_so() -> None:
    """All of /v1 but links that are permissions themselves and tus's OPTIONS; by the one scheme, which is a bearer token."""
    locked = {(path, method) for path, method, operation in operations() if operation.get("security") == [{"ApiKey": []}]}
    free = {(path, method) for path, method, _ in operations()} - locked

    by_token = {("/v1/signed/{token}/{job_id}/{name}", "get"), ("/v1/unsubscribe/{token}", "get"), ("/v1/unsubscribe/{token}", "post")}
    assert {(path, "get") for path in OPEN} | {("/v1/uploads", "options")} | by_token == free
    assert ("http", "bearer") == tuple(document()["components"]["securitySchemes"]["ApiKey"][name] for name in ("type", "scheme"))


@pytest.mark.parametrize("command", public_commands(), ids=lambda command: command.kind)
def test_commands_come_with_examples(command: type[Command]) -> None:
    """Each has its schema and examples that the command itself takes."""
    body = document()["paths"][f"/v1/{command.route}"]["post"]["requestBody"]["content"]["application/json"]
    examples = [example["value"] for example in body["examples"].values()]

    assert f"#/components/schemas/{command.__name__}" == body["schema"]["$ref"]
    assert examples
    for example in examples:
        TypeAdapter(command).validate_python(example, extra="forbid")


def test_raw_bodies_have_schemas_and_examples() -> None:
    """Bodies that FastAPI does not parse are described all the same."""
    for path in ("/v1/keys", "/v1/schedules", "/v1/dead-letters/redrive", "/v1/dead-letters/{entry_id}/redrive"):
        body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]

        assert body["examples"], path
        assert "properties" in document()["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
