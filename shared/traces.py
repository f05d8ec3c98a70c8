"""Reads the local span files back: one trace as a list of spans, as a tree, and as text for a terminal."""

import json
import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_MOST_LINKED = 8
"""Linked traces that are read along: a job's retries and redrives."""
_DEEPEST = 60
"""Levels that are drawn; a forged file must not exhaust the stack."""
_MS, _SECOND, _MINUTE = 1_000_000, 1_000_000_000, 60_000_000_000  # in nanoseconds


@dataclass(frozen=True, slots=True)
class LocalSpan:
    """One ended span. `start` is nanoseconds since 1970, `ns` its length; `error` is None unless it failed; links are (trace, span) ids."""

    trace: str
    span: str
    name: str
    service: str
    kind: str
    start: int
    ns: int
    pid: int = 0
    parent: str | None = None
    error: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    links: list[list[str]] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A span in its tree. `linked`: it is no child but a later trace (a retry, a redrive) that links to the span above it."""

    span: LocalSpan
    children: list["Node"] = field(default_factory=list)
    linked: bool = False


def read_trace(home: Path, trace_id: str, *, limit: int = 10_000) -> list[LocalSpan]:
    """The spans of a trace, and of the traces that link to it, oldest first, `limit` at most; [] for an unknown or malformed id.

    Blocking: it searches every span file under `home` as bytes (about 1 GB/s), so keep it off an event loop.
    """
    if not _TRACE_ID.fullmatch(trace_id):
        return []
    found = {span.span: span for span in _search(home, {trace_id})}
    others = {span.trace for span in found.values()} - {trace_id}
    if others:
        found |= {span.span: span for span in _search(home, set(sorted(others)[:_MOST_LINKED]))}
    return sorted(found.values(), key=lambda span: span.start)[:limit]


def _search(home: Path, trace_ids: set[str]) -> Iterator[LocalSpan]:
    """Every span whose line has one of the ids: as its own, or as that of a link."""
    folder = home / "traces"
    for path in sorted(folder.glob("*.jsonl*")) if folder.is_dir() else []:
        for trace_id in trace_ids:
            for line in _lines_with(path, trace_id.encode()):
                span = _parsed(line)
                if span and (span.trace == trace_id or any(link[0] == trace_id for link in span.links)):
                    yield span


def _lines_with(path: Path, needle: bytes) -> Iterator[bytes]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            at = text.find(needle)
            while at >= 0:
                end = text.find(b"\n", at)
                end = end if end >= 0 else len(text)
                yield text[text.rfind(b"\n", 0, at) + 1 : end]
                at = text.find(needle, end)
    except (FileNotFoundError, ValueError):
        return  # pruned meanwhile, or still empty (which mmap refuses)


def _parsed(line: bytes) -> LocalSpan | None:
    """None for what a full disk or a kill left of a line."""
    try:
        return LocalSpan(**json.loads(line))
    except (ValueError, TypeError):
        return None


def tree(spans: Iterable[LocalSpan]) -> list[Node]:
    """The spans as a forest, siblings by start time. A span whose parent is not there (the caller's, say) is a root."""
    nodes = {span.span: Node(span) for span in sorted(spans, key=lambda span: span.start)}
    roots: list[Node] = []
    for node in nodes.values():
        above = nodes.get(node.span.parent or "")
        if above is None and node.span.parent is None:
            above = next((nodes[link[1]] for link in node.span.links if link[1] in nodes), None)
            node.linked = above is not None
        if above is None or above is node:
            roots.append(node)
        else:
            above.children.append(node)
    return roots


def render_tree(nodes: Sequence[Node], *, most_children: int = 12) -> str:
    """The forest as text: name, length, when it began after the first span, and the service where it changes.

    Of more than `most_children` siblings the rest is only counted.
    """
    rows: list[tuple[str, str]] = []
    for root in nodes:
        _render(root, "", "", root.span.start, "", most_children, rows)
    width = max((len(left) for left, _ in rows), default=0)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in rows)


def _render(node: Node, stem: str, arm: str, origin: int, service: str, most: int, rows: list[tuple[str, str]]) -> None:
    span = node.span
    right = f"{length(span.ns):>8}  +{length(max(span.start - origin, 0)):<8}"
    if span.service != service:
        right += f" ─ {_plain(span.service)}"
    if span.error:
        right += f"  ✗ {_plain(span.error)}"
    rows.append((f"{stem}{arm}{'↻ ' if node.linked else ''}{_plain(span.name)}", right))
    below = stem + {"": "", "├─ ": "│  ", "└─ ": "   "}[arm]
    if len(below) > _DEEPEST * len("│  "):
        rows.append((f"{below}└─ …", ""))
        return
    shown, hidden = node.children[:most], len(node.children) - most
    for number, child in enumerate(shown, 1):
        last = number == len(shown) and hidden <= 0
        _render(child, below, "└─ " if last else "├─ ", origin, span.service, most, rows)
    if hidden > 0:
        rows.append((f"{below}└─ … {hidden} more", ""))


def length(ns: int) -> str:
    """A duration for people: `0.4 ms`, `12.3 ms`, `1.24 s`, `3 m 05 s`."""
    if ns < _SECOND:
        return f"{ns / _MS:.1f} ms"
    if ns < _MINUTE:
        return f"{ns / _SECOND:.2f} s"
    minutes, rest = divmod(ns // _SECOND, 60)
    return f"{minutes} m {rest:02} s"


def _plain(text: str) -> str:
    """One line without control characters: an error's text may come from a user, and this goes to a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)[:160]
