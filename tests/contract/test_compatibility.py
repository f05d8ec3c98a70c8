"""Today's messages get on with the last release's in both directions, and the check that says so catches each kind of break."""

import copy
import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

from deploy.contracts import release
from deploy.contracts.compatibility import breaks
from deploy.contracts.narrowing import Node, refused
from deploy.contracts.release import Document, released
from shared.contracts.base import Command, Result
from shared.contracts.registry import contracts

ACCEPTED: dict[str, str] = json.loads((Path(__file__).parent / "released" / "accepted.json").read_text(encoding="utf-8"))
"""Finding → why it does no harm. For what the check cannot see, such as that no gateway ever sent it."""


def test_today_gets_on_with_the_last_release() -> None:
    """Nothing was found that has not been accepted with a reason, and no acceptance outlives its finding."""
    last = list(released().values())[-1]
    found = breaks(last, release.document(contracts()))

    assert sorted(ACCEPTED) == sorted(found), "make it a new optional field or a new kind; see docs/contracts.md"


def test_releases_are_in_order(tmp_path: Path) -> None:
    """0.10.0 is later than 0.9.0, and the file of acceptances is no release."""
    for name in ("0.9.0", "0.10.0", "accepted"):
        (tmp_path / f"{name}.json").write_text("{}")

    assert ["0.9.0", "0.10.0"] == list(released(tmp_path))


class Toner(BaseModel):
    """Something nested."""

    colour: Literal["black", "cyan"] = "black"


class Printed(Result):
    """A result."""

    pages: int
    notes: list[str] = Field(default_factory=list)


class Print(Command):
    """The command as it was released."""

    kind: ClassVar[str] = "press.print.v1"
    route: ClassVar[str | None] = "prints"
    result: ClassVar[type[Result]] = Printed

    text: str = Field(max_length=100)
    copies: int = Field(1, ge=1, le=10)
    size: Literal["a4", "a5"] = "a4"
    toner: Toner | None = None
    pages: list[int] = Field(default_factory=list)
    vars: dict[str, Any] = Field(default_factory=dict)


def document(**changes: Any) -> Document:
    """A release with `Print`; `changes` go over the fields of its request (None: the field is gone)."""
    made = copy.deepcopy(release.promise(Print))
    fields = made["request"]["properties"]
    for name, change in changes.items():
        if change is None:
            del fields[name]
        else:
            fields[name] = {**fields.get(name, {}), **change}
    made["request"]["required"] = [name for name in made["request"]["required"] if name in fields]
    return {"kinds": {"press.print.v1": made}, "envelope": release.schema(Toner), "event": release.schema(Toner)}


NEW = "(old writer, new reader)"
OLD = "(new writer, old reader)"
AT = "press.print.v1 request "


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ink": {"type": "string", "default": ""}},
        {"ink": {"anyOf": [{"$ref": "#/$defs/Toner"}, {"type": "null"}], "default": None}},
        {"text": {"description": "said better", "title": "Words"}},
    ],
    ids=["nothing", "optional field", "optional object", "documentation"],
)
def test_harmless_change_passes(changes: dict[str, Any]) -> None:
    """A new optional field and better words are what a version may gain."""
    assert [] == breaks(document(), document(**changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vars": None}, [f"{AT}/vars: is gone; what it says would be ignored {NEW}"]),
        ({"copies": {"type": "string"}}, [f"{AT}/copies: integer is written, string is read {NEW}"]),
        ({"copies": {"type": "number"}}, [f"{AT}/copies: number is written, integer is read {OLD}"]),
        ({"copies": {"maximum": 5}}, [f"{AT}/copies: maximum 10 is written, 5 is read {NEW}"]),
        ({"copies": {"maximum": 20}}, [f"{AT}/copies: maximum 20 is written, 10 is read {OLD}"]),
        ({"copies": {"minimum": 2}}, [f"{AT}/copies: minimum 1 is written, 2 is read {NEW}"]),
        ({"copies": {"default": 2}}, [f"{AT}/copies: left out, it meant 1 and now means 2 {NEW}"]),
        ({"size": {"enum": ["a4"]}}, [f"{AT}/size: 'a5' is written and not read {NEW}"]),
        ({"size": {"enum": ["a3", "a4", "a5"]}}, [f"{AT}/size: 'a3' is written and not read {OLD}"]),
        ({"text": {"pattern": "^x"}}, [f"{AT}/text: pattern unlimited is written, ^x is read {NEW}"]),
        ({"toner": {"anyOf": [{"$ref": "#/$defs/Toner"}]}}, [f"{AT}/toner: null is written, object is read {NEW}"]),
        ({"pages": {"items": {"type": "string"}}}, [f"{AT}/pages/*: integer is written, string is read {NEW}"]),
        ({"vars": {"additionalProperties": {"type": "string"}}}, [f"{AT}/vars/{{value}}: any value is written, string is read {NEW}"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_break_is_told(changes: dict[str, Any], told: list[str]) -> None:
    """Each kind of break is named with its place and its direction; a changed type breaks both ways, and more is not hidden."""
    found = breaks(document(), document(**changes))

    assert set(told) <= set(found)
    assert all(line.startswith(told[0].partition(":")[0]) for line in found)


def test_required_field_breaks() -> None:
    """A new required field is refused where an old gateway leaves it out; an old one made optional, where a new gateway does."""
    stricter, laxer = document(ink={"type": "string"}), document()
    stricter["kinds"]["press.print.v1"]["request"]["required"] = ["text", "ink"]
    laxer["kinds"]["press.print.v1"]["request"]["required"] = []
    why = "is required by the reader and may be left out by the writer"

    assert [f"{AT}/ink: {why} {NEW}"] == breaks(document(), stricter)
    assert [f"{AT}/text: {why} {OLD}"] == breaks(document(), laxer)


def test_nested_and_shared_shapes_are_compared() -> None:
    """A break inside a nested object, a result, the envelope or an event is told as well."""
    new = document()
    new["kinds"]["press.print.v1"]["request"]["$defs"]["Toner"]["properties"]["colour"]["enum"] = ["black"]
    del new["kinds"]["press.print.v1"]["result"]["properties"]["notes"]
    new["envelope"]["required"] = ["colour"]
    new["event"]["properties"]["colour"]["enum"].append("red")

    assert [
        f"{AT}/toner/colour: 'cyan' is written and not read {NEW}",
        f"press.print.v1 result /notes: is gone; what it says would be ignored {NEW}",
        f"envelope /colour: is required by the reader and may be left out by the writer {NEW}",
        f"event /colour: 'red' is written and not read {OLD}",
    ] == breaks(document(), new)


def test_lost_kind_and_route_break() -> None:
    """A kind that is gone has messages under way; a route that moved has users."""
    gone, moved, inherited = document(), document(), document()
    del gone["kinds"]["press.print.v1"]
    moved["kinds"]["press.print.v1"]["route"] = "printouts"
    inherited["kinds"]["press.print.v2"] = inherited["kinds"]["press.print.v1"]
    inherited["kinds"]["press.print.v1"] = {**inherited["kinds"]["press.print.v1"], "route": None}

    assert ["press.print.v1 is gone: keep its handler until a release after the one whose gateways no longer send it"] == breaks(
        document(), gone
    )
    assert ["press.print.v1 route: users submit to /v1/prints, and nothing answers there any more"] == breaks(document(), moved)
    assert [] == breaks(document(), inherited)


@pytest.mark.parametrize(
    ("reader", "writer", "told"),
    [
        ({"type": "number"}, {"type": "integer"}, []),
        ({}, {"type": "string"}, []),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "integer"}, []),
        ({"type": "integer"}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}, ["/: string is written, integer is read"]),
        ({"const": 1}, {"enum": [1, 2]}, ["/: 2 is written and not read"]),
        ({"enum": ["a"], "type": "string"}, {"type": "string"}, ["/: 'any value' is written and not read"]),
        (
            {"type": "object", "patternProperties": {"^a": {"type": "string"}}},
            {"type": "object", "patternProperties": {"^b": {"type": "string"}}},
            ["/: the names of its members are matched by another pattern"],
        ),
        (
            {"type": "object", "patternProperties": {"^a": {"type": "string"}}},
            {"type": "object", "additionalProperties": {"type": "string"}},
            ["/: its members may have any name, and not all are read"],
        ),
        (
            {"type": "object", "propertyNames": {"maxLength": 3}},
            {"type": "object"},
            ["/{name}: maxLength unlimited is written, 3 is read"],
        ),
    ],
)
def test_narrowing(reader: dict[str, Any], writer: dict[str, Any], told: list[str]) -> None:
    """What a writer may write and a reader refuses, in the shapes that pydantic writes."""
    assert told == list(refused(Node.root(reader), Node.root(writer)))


def test_unknown_keyword_is_not_passed_over() -> None:
    """A keyword that the comparison does not know might hide a break."""
    with pytest.raises(ValueError, match="does not know dependentRequired"):
        Node.root({"dependentRequired": {}})
