"""What one JSON Schema lets a writer write that another would have its reader refuse.

Knows the part of JSON Schema 2020-12 that pydantic writes (https://json-schema.org/draft/2020-12/json-schema-validation) and raises
ValueError for a keyword it does not know, so that nothing passes unseen. Where two schemas cannot be compared exactly (two patterns)
it assumes the worse. What no schema shows, such as pydantic's own validators, it cannot see: the golden messages stand for that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME = ("pattern", "format", "multipleOf", "uniqueItems")
NESTED = ("anyOf", "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "items")
REMARKS = {"$defs", "$ref", "title", "description", "examples", "default", "deprecated"}
KNOWN = REMARKS.union(LOWER, UPPER, SAME, NESTED, ("type", "enum", "const"))
MISSING = object()


@dataclass(frozen=True, slots=True)
class Node:
    """A place in a schema: what stands there, with references followed, and the definitions they lead to."""

    body: Mapping[str, Any]
    definitions: Mapping[str, Any]

    @classmethod
    def root(cls, schema: Mapping[str, Any]) -> "Node":
        """The top of a schema that is complete in itself."""
        return cls({}, schema.get("$defs", {})).at(schema)

    def at(self, body: Any) -> "Node":
        """A place inside this one. Raises ValueError for a keyword that nobody here knows."""
        body = body if isinstance(body, Mapping) else {} if body else {"enum": []}
        while "$ref" in body:
            rest = {name: value for name, value in body.items() if name != "$ref"}
            body = {**self.definitions[body["$ref"].rpartition("/")[2]], **rest}
        if unknown := set(body) - KNOWN:
            raise ValueError(f"the comparison does not know {', '.join(sorted(unknown))}: teach it in deploy/contracts/narrowing.py")
        return Node(body, self.definitions)

    def alternatives(self) -> list["Node"]:
        """The schemas of which one must fit."""
        return [each for option in self.body["anyOf"] for each in self.at(option).alternatives()] if "anyOf" in self.body else [self]

    def properties(self) -> dict[str, "Node"]:
        """The named fields."""
        return {name: self.at(body) for name, body in self.body.get("properties", {}).items()}

    def values(self) -> list[Any] | None:
        """The only values there are, where they are listed."""
        return [self.body["const"]] if "const" in self.body else self.body.get("enum")

    def plain(self) -> bool:
        """True where anything goes."""
        return not set(self.body) - REMARKS


def refused(reader: Node, writer: Node, at: str = "", *, losses: bool = False) -> Iterator[str]:
    """Sentences, one for each thing that `writer` allows and `reader` refuses; with `losses`, also what the reader would ignore."""
    options = reader.alternatives()
    for said in writer.alternatives():
        yield from min((list(_refused(option, said, at, losses=losses)) for option in options), key=len)
    if losses and "properties" not in reader.body:
        before, after = writer.body.get("default", MISSING), reader.body.get("default", MISSING)
        if before is not MISSING and after is not MISSING and before != after:
            yield f"{at or '/'}: left out, it meant {before!r} and now means {after!r}"


def _refused(reader: Node, writer: Node, at: str, *, losses: bool) -> Iterator[str]:
    if reader.plain():
        return
    here = at or "/"
    if (wanted := reader.body.get("type")) and writer.body.get("type") not in {wanted, "integer" if wanted == "number" else wanted}:
        yield f"{here}: {writer.body.get('type', 'any value')} is written, {wanted} is read"
        return
    if (readable := reader.values()) is not None:
        written = writer.values()
        for value in [v for v in written if v not in readable] if written is not None else ["any value"]:
            yield f"{here}: {value!r} is written and not read"
    yield from (f"{here}: {why}" for why in _limits(reader.body, writer.body))
    yield from _fields(reader, writer, at, losses=losses)
    for name, suffix in (("items", "/*"), ("propertyNames", "/{name}"), ("additionalProperties", "/{value}")):
        if name in reader.body:
            yield from refused(reader.at(reader.body[name]), writer.at(writer.body.get(name, True)), at + suffix, losses=losses)
    yield from _patterns(reader, writer, at, losses=losses)


def _limits(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> Iterator[str]:
    fits: dict[str, Callable[[Any, Any], bool]] = {
        **dict.fromkeys(LOWER, lambda read, written: read <= written),
        **dict.fromkeys(UPPER, lambda read, written: read >= written),
        **dict.fromkeys(SAME, lambda read, written: read == written),
    }
    for name, compatible in fits.items():
        if name in reader and not (name in writer and compatible(reader[name], writer[name])):
            yield f"{name} {writer.get(name, 'unlimited')} is written, {reader[name]} is read"


def _fields(reader: Node, writer: Node, at: str, *, losses: bool) -> Iterator[str]:
    known, written = reader.properties(), writer.properties()
    for name in reader.body.get("required", ()):
        if name not in writer.body.get("required", ()):
            yield f"{at}/{name}: is required by the reader and may be left out by the writer"
    for name, said in written.items():
        if name in known:
            yield from refused(known[name], said, f"{at}/{name}", losses=losses)
        elif losses:
            yield f"{at}/{name}: is gone; what it says would be ignored"


def _patterns(reader: Node, writer: Node, at: str, *, losses: bool) -> Iterator[str]:
    known, written = reader.body.get("patternProperties", {}), writer.body.get("patternProperties", {})
    if known and set(written) - set(known):
        yield f"{at or '/'}: the names of its members are matched by another pattern"
    for pattern in set(known) & set(written):
        yield from refused(reader.at(known[pattern]), writer.at(written[pattern]), f"{at}/{{value}}", losses=losses)
    if known and not written:
        yield f"{at or '/'}: its members may have any name, and not all are read"
