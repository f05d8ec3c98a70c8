"""What OpenAPI cannot know by itself: bodies that are read raw, headers, and that every refusal is a problem."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.problems import MEDIA_TYPE, TYPES
from shared.contracts.registry import contracts

Json = dict[str, Any]

DESCRIPTION = """Hand over the slow work, keep the counterfoil, collect the result.

Submit a job and get its ticket in milliseconds; follow it by long-poll or event stream; fetch its artifacts. Send your key as
`Authorization: Bearer cf_…`. Every error is an RFC 9457 problem; bad input comes with JSON pointers to the guilty fields."""

TITLES = {"title": "Counterfoil", "version": "1", "description": DESCRIPTION}
_SCHEMAS = "#/components/schemas/"
_SECURITY = [{"ApiKey": list[str]()}]
_raw: list[type[BaseModel]] = []
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def json_body(model: type[BaseModel], *, required: bool = True) -> Json:
    """`openapi_extra` for a route that reads its JSON itself: the body is a `model`, with that model's examples."""
    _raw.append(model)
    body: Json = {"schema": {"$ref": f"{_SCHEMAS}{model.__name__}"}}
    extra = model.model_config.get("json_schema_extra")
    if isinstance(extra, dict) and isinstance(examples := extra.get("examples"), list):
        body["examples"] = {f"example {n}": {"value": example} for n, example in enumerate(examples, 1)}
    return {"requestBody": {"required": required, "content": {"application/json": body}}}


def header(name: str, description: str, *, required: bool = False, **schema: Any) -> Json:
    """A request header, for `openapi_extra={"parameters": […]}`; `schema` is JSON Schema beside the type string."""
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string", **schema}, "description": description}


def content(description: str, media_type: str, schema: Json | None = None, *, headers: Json | None = None) -> Json:
    """A response of this media type; without a schema it is bytes."""
    told: Json = {"description": description, "content": {media_type: {"schema": schema or {"type": "string", "format": "binary"}}}}
    return told | ({"headers": headers} if headers else {})


def told(**headers: str) -> Json:
    """Response headers: name (with `_` for `-`) and description."""
    return {name.replace("_", "-"): {"schema": {"type": "string"}, "description": text} for name, text in headers.items()}


def install(app: FastAPI) -> None:
    """Complete the application's OpenAPI document."""
    plain = app.openapi

    def complete() -> Json:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            commands = [command for contract in contracts().values() for command in contract.commands if command.route]
            models = [(model, "validation") for model in dict.fromkeys([*commands, *_raw])]
            _, definitions = models_json_schema(models, by_alias=True, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]  # a literal
            schemas.update(definitions.get("$defs", {}))
            for path, operation in _operations(document):
                _refusals(path, operation)
            for told_of in document.get("webhooks", {}).values():
                told_of["post"]["responses"].pop("422", None)  # the receiver's to answer, not ours
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                # Its key is checked by hand, before a byte of a body is read: FastAPI does not know.
                if path.startswith("/v1/uploads") and method != "options":
                    item[method]["security"] = _SECURITY
                yield path, item[method]


def _refusals(path: str, operation: Json) -> None:
    """Every refusal as a problem, with what any route of its sort may answer."""
    responses = operation["responses"]
    usual = {"401", "403", "429"} if operation.get("security") else set()
    if path.startswith("/v1/"):
        usual |= {"422", "503"}
    for status in sorted(usual):
        responses.setdefault(status, {})
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            titles = [title for code, title in TYPES.values() if code == int(status)]
            response["description"] = "; or: ".join(dict.fromkeys(titles))
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}ProblemShape"}}}
            if status == "503":
                response["headers"] = told(Retry_After="Seconds to wait before the next try")
    operation["responses"] = dict(sorted(responses.items()))
