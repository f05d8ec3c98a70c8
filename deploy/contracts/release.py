"""The schemas of every message, as one document: what a release promises on the wire.

A released document is never made again; the next release gets one of its own, beside it.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.contracts.base import Command
from shared.contracts.envelope import Envelope
from shared.contracts.events import JobEvent
from shared.contracts.registry import Contract

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "tests" / "contract" / "released"
Document = dict[str, Any]


def version() -> str:
    """The version that pyproject.toml names."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def document(contracts: Mapping[str, Contract]) -> Document:
    """`{kinds: {kind: {route, request, result}}, envelope, event}`; schemas are JSON Schema 2020-12, each complete in itself."""
    commands = [command for contract in contracts.values() for command in contract.commands]
    return {
        "kinds": {command.kind: promise(command) for command in sorted(commands, key=lambda command: command.kind)},
        "envelope": schema(Envelope),
        "event": schema(JobEvent),
    }


def promise(command: type[Command]) -> Document:
    """What one command promises: where users submit it, what it takes and what it gives."""
    return {"route": command.route, "request": schema(command), "result": schema(command.result)}


def schema(model: type[BaseModel]) -> Document:
    """A model's JSON Schema, with its fields' names as they are on the wire."""
    return model.model_json_schema(by_alias=True)


def released(folder: Path = RELEASED) -> dict[str, Document]:
    """Version → document of every release, oldest first."""
    files = [file for file in folder.glob("*.json") if file.stem.replace(".", "").isdecimal()]
    files.sort(key=lambda file: [int(part) for part in file.stem.split(".")])
    return {file.stem: json.loads(file.read_text()) for file in files}


def text(document_: Document) -> str:
    """The document as it lies in the repository."""
    return json.dumps(document_, indent=1, ensure_ascii=False) + "\n"
