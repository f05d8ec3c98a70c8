"""What OpenAPI cannot know by itself: the commands' schemas (their bodies are read raw) and how to authenticate."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from shared.contracts.registry import contracts

DESCRIPTION = """Hand over the slow work, keep the counterfoil, collect the result.

Submit a job and get its ticket in milliseconds; follow it by long-poll or event stream; fetch its artifacts. Send your key as
`Authorization: Bearer cf_…`. Every error is an RFC 9457 problem; bad input comes with JSON pointers to the guilty fields."""


TITLES = {"title": "Counterfoil", "version": "1", "description": DESCRIPTION}


def install(app: FastAPI) -> None:
    """Put the commands' schemas into the application's OpenAPI document."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            commands = [command for contract in contracts().values() for command in contract.commands if command.route]
            _, definitions = models_json_schema(
                [(command, "validation") for command in commands], by_alias=True, ref_template="#/components/schemas/{model}"
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(definitions.get("$defs", {}))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's documented way to extend it
