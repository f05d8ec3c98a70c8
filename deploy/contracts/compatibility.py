"""Is a change compatible with the last release, in both directions? While a release rolls out, both are in the house at once.

An old gateway's message must mean the same to a new worker, and an old worker must be able to read a new gateway's. Inside a
version that leaves one kind of change: a new optional field. A changed meaning is a new kind (shared/contracts/base.py).
"""

from collections.abc import Iterator
from typing import Any

from deploy.contracts.narrowing import Node, refused
from deploy.contracts.release import Document

FORWARD = "old writer, new reader"
BACKWARD = "new writer, old reader"


def breaks(old: Document, new: Document) -> list[str]:
    """Sentences, one for each way in which the release `new` does not get on with `old`; none means that it does."""
    return [
        *_kinds(old["kinds"], new["kinds"]),
        *_pair("envelope", old["envelope"], new["envelope"]),
        *_pair("event", old["event"], new["event"]),
    ]


def _kinds(old: Document, new: Document) -> Iterator[str]:
    for kind, before in old.items():
        if kind not in new:
            yield f"{kind} is gone: keep its handler until a release after the one whose gateways no longer send it"
            continue
        after = new[kind]
        if before["route"] is not None and before["route"] != after["route"] and not _successor(kind, before["route"], new):
            yield f"{kind} route: users submit to /v1/{before['route']}, and nothing answers there any more"
        for part in ("request", "result"):
            yield from _pair(f"{kind} {part}", before[part], after[part])


def _successor(kind: str, route: str, new: Document) -> bool:
    """True where a later version of the same command has taken the route over."""
    stem = kind.rpartition(".")[0]
    return any(other.rpartition(".")[0] == stem and body["route"] == route for other, body in new.items())


def _pair(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    before, after = Node.root(old), Node.root(new)
    yield from (f"{name} {found} ({FORWARD})" for found in refused(after, before, losses=True))
    yield from (f"{name} {found} ({BACKWARD})" for found in refused(before, after))
