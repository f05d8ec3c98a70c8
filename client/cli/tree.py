"""A trace as a tree: who called whom, how long each step took, what failed."""

from collections import defaultdict

from rich.markup import escape
from rich.tree import Tree

from client.models import Span, Trace


def trace_tree(trace: Trace) -> Tree:
    """The spans under their parents, in order of their start. A span whose parent is unknown stands at the top.

    The caller's own span (a `traceparent` from outside) is such a parent: it is not in the house's records.
    """
    known = {span.span_id for span in trace.spans}
    below: dict[str | None, list[Span]] = defaultdict(list)
    for span in sorted(trace.spans, key=lambda span: str(span.start).rjust(24, "0")):
        below[_above(span, known)].append(span)
    tree = Tree(f"trace {escape(trace.trace_id)}")
    waiting: list[tuple[Tree, str | None]] = [(tree, None)]
    while waiting:
        branch, parent = waiting.pop()
        waiting.extend((branch.add(_label(span)), span.span_id) for span in below.pop(parent, []))
    return tree


def _above(span: Span, known: set[str]) -> str | None:
    """The parent, or else the span that a retry or redrive is linked to, where it is of this trace."""
    if span.parent_id in known and span.parent_id != span.span_id:
        return span.parent_id
    for link in (span.model_extra or {}).get("links") or []:
        target = link.get("span_id") if isinstance(link, dict) else link[-1] if isinstance(link, list) and link else None
        if target in known and target != span.span_id:
            return str(target)
    return None


def _label(span: Span) -> str:
    took = "" if span.duration_ms is None else f" [dim]{_duration(span.duration_ms)}[/dim]"
    service = f" [cyan]{escape(span.service)}[/cyan]" if span.service else ""
    failed = f" [red]{escape(span.error)}[/red]" if span.error else ""
    return f"{escape(span.name)}{service}{took}{failed}"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.1f} ms"  # noqa: PLR2004 - a second
