"""The golden messages: what was on the wire when each kind was young, in tests/contract/golden. Never edited, only added to."""

import json
from pathlib import Path
from typing import Any

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
