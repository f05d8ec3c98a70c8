"""Registers: a tenant's lasting facts by key, which belong to a service and to no job (whom the mailer may not write to).

They lie in the service's ledger, so that they are as durable as its jobs, and both the gateway and the workers reach them. A fact
is JSON. What a register has of a key stays until it is removed, unless whoever adds to it says what it stands above.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.ledger.calls import Arg, Call
from shared.ledger.record import pairs

Facts = Mapping[str, Any]


def find(tenant: str, register: str, keys: Sequence[str]) -> Call[dict[str, Any]]:
    """What it has of these keys; those that it does not know are left out."""

    def parse(reply: Sequence[str]) -> dict[str, Any]:
        return {key: json.loads(value) for key, value in zip(keys, reply, strict=True) if value}

    return Call("register", (tenant, register, "find", *keys), parse)


def keep(tenant: str, register: str, facts: Facts, *, over: str = "") -> Call[int]:
    """Add facts; how many were new. What is there stays, unless `over` is set and stands in its JSON."""
    args: list[Arg] = [tenant, register, "keep", over]
    for key, value in facts.items():
        args += [key, json.dumps(value)]
    return Call("register", tuple(args), int)


def remove(tenant: str, register: str, keys: Sequence[str]) -> Call[int]:
    """Forget these keys; how many there were."""
    return Call("register", (tenant, register, "remove", *keys), int)


def page(tenant: str, register: str, *, after: str = "", most: int = 100) -> Call[dict[str, Any]]:
    """Facts in the order of their keys, beginning behind `after`."""
    return Call(
        "registered", (tenant, register, after, most), lambda reply: {key: json.loads(value) for key, value in pairs(reply).items()}
    )
