"""The golden messages: what was on the wire when each kind was young, in tests/contract/golden. Never edited, only added to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from shared.contracts.base import Command
from shared.contracts.registry import contracts

GOLDEN = Path(__file__).parent / "golden"
COMMANDS: dict[str, type[Command]] = {kind: command for contract in contracts().values() for kind, command in contract.by_kind.items()}


def read(name: str) -> Any:
    """One golden file."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def cases() -> list[tuple[type[Command], dict[str, Any]]]:
    """Every golden `{request, envelope, result}` with its command."""
    return [(command, case) for kind, command in COMMANDS.items() for case in read(kind)]


def fields_of(annotation: Any, known: frozenset[type] = frozenset()) -> Iterator[tuple[str, str]]:
    """(model, field) of a model and of all that it is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in known:
        for name, field in annotation.model_fields.items():
            yield annotation.__name__, name
            yield from fields_of(field.annotation, known | {annotation})
    for part in get_args(annotation):
        yield from fields_of(part, known)


def fields_in(value: Any) -> Iterator[tuple[str, str]]:
    """(model, field) of all that was said in a message."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield type(value).__name__, name
            yield from fields_in(getattr(value, name))
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from fields_in(each)
