"""Finds the contracts: every module of this package that has a `CONTRACT` is a service's.

A new service is one more file here. The gateway mounts what this finds, and a test holds every kind to one handler.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from shared.contracts.base import KIND, Command


@dataclass(frozen=True, slots=True)
class Contract:
    """A service's side of the wire: its name and its commands."""

    name: str
    title: str
    commands: tuple[type[Command], ...]
    by_kind: Mapping[str, type[Command]] = field(init=False)
    needs: tuple[str, ...] = field(init=False)
    """What its commands may need (see `Command.needs`), in the order of their declaration."""

    def __post_init__(self) -> None:
        """Refuse a command whose kind is malformed, foreign or declared twice, and a need whose queue would be another one's."""
        kinds: dict[str, type[Command]] = {}
        for command in self.commands:
            if not KIND.fullmatch(command.kind) or command.service() != self.name:
                msg = f"{command.__name__}.kind is {command.kind!r}; it must read '{self.name}.<verb>.v<n>'"
                raise ValueError(msg)
            if command.kind in kinds:
                msg = f"kind {command.kind!r} is declared twice in the contract of {self.name!r}"
                raise ValueError(msg)
            kinds[command.kind] = command
        object.__setattr__(self, "by_kind", MappingProxyType(kinds))
        needs = tuple(dict.fromkeys(need for command in self.commands for need in command.needs))
        if taken := sorted({"high", "low", "dlq"}.intersection(needs)):
            msg = f"the contract of {self.name!r} names a need {taken[0]!r}: its queue would be another one's"
            raise ValueError(msg)
        object.__setattr__(self, "needs", needs)


@cache
def contracts() -> Mapping[str, Contract]:
    """All contracts by service name, in alphabetical order. Raises ValueError where two claim the same name, route or class name."""
    package = importlib.import_module("shared.contracts")
    found: dict[str, Contract] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        contract = getattr(importlib.import_module(f"shared.contracts.{module}"), "CONTRACT", None)
        if isinstance(contract, Contract):
            if contract.name in found:
                msg = f"shared/contracts/{module}.py: another contract has the name {contract.name!r} already"
                raise ValueError(msg)
            found[contract.name] = contract
    _refuse_twins([command for contract in found.values() for command in contract.commands])
    return MappingProxyType(found)


def _refuse_twins(commands: list[type[Command]]) -> None:
    """A route leads to one command; a class name is the name of its schema in OpenAPI and AsyncAPI."""
    for what, names in (
        ("route", [command.route for command in commands if command.route is not None]),
        ("class name", [command.__name__ for command in commands]),
    ):
        if twins := sorted({name for name in names if names.count(name) > 1}):
            msg = f"two commands have the {what} {', '.join(twins)}"
            raise ValueError(msg)
