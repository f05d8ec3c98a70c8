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

    def __post_init__(self) -> None:
        """Refuse a command whose kind is malformed, foreign or declared twice."""
        kinds: dict[str, type[Command]] = {}
        for command in self.commands:
            if not KIND.match(command.kind) or command.service() != self.name:
                msg = f"{command.__name__}.kind is {command.kind!r}; it must read '{self.name}.<verb>.v<n>'"
                raise ValueError(msg)
            if command.kind in kinds:
                msg = f"kind {command.kind!r} is declared twice in the contract of {self.name!r}"
                raise ValueError(msg)
            kinds[command.kind] = command
        object.__setattr__(self, "by_kind", MappingProxyType(kinds))


@cache
def contracts() -> Mapping[str, Contract]:
    """All contracts by service name, in alphabetical order."""
    package = importlib.import_module("shared.contracts")
    found: dict[str, Contract] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        contract = getattr(importlib.import_module(f"shared.contracts.{module}"), "CONTRACT", None)
        if isinstance(contract, Contract):
            found[contract.name] = contract
    return MappingProxyType(found)
