"""From a command, a kind or a route to the request that submits it."""

from collections.abc import Mapping
from typing import Any

from client.errors import ClientError
from shared.contracts.base import Command
from shared.contracts.options import Options
from shared.contracts.registry import contracts

Given = Mapping[str, Any]


def route_of(what: str) -> str:
    """The path segment under /v1/ of a kind (`avatar.generate.v1`), a route (`avatars`) or a singular of one (`avatar`).

    A route this client does not know is taken as it is: the gateway may be newer, and answers 404 if not.
    Raises ClientError for a kind that users cannot submit.
    """
    routes = {command.kind: command.route for contract in contracts().values() for command in contract.commands}
    if "." in what:
        route = routes.get(what)
        if route is None:
            public = ", ".join(sorted(kind for kind, path in routes.items() if path))
            raise ClientError(f"{what!r} is not a kind that can be submitted; these are: {public}.")
        return route
    return f"{what}s" if f"{what}s" in routes.values() else what


def kind_of(what: str) -> str:
    """The kind of a kind, a route (`avatars`) or a singular of one (`avatar`); what this client does not know is taken as it is."""
    kinds = {command.route: command.kind for contract in contracts().values() for command in contract.commands if command.route}
    return kinds.get(what) or kinds.get(f"{what}s") or what


def request_of(command: Command | str, body: Given | None, options: Options | Given | None) -> tuple[str, dict[str, Any]]:
    """The path and the JSON body. Of a typed command only what was set travels, so that the server's defaults count."""
    if isinstance(command, Command):
        if body is not None:
            raise ClientError("Give a command or a kind with a body, not both.")
        if command.route is None:
            raise ClientError(f"{command.kind} is internal and cannot be submitted.")
        route, sent = command.route, command.model_dump(mode="json", by_alias=True, exclude_unset=True)
    else:
        route, sent = route_of(command), dict(body or {})
    if options is not None:
        given = options.model_dump(mode="json", exclude_unset=True) if isinstance(options, Options) else dict(options)
        sent["options"] = {**sent.get("options", {}), **given}
    return f"/v1/{route}", sent
