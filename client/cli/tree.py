"""A trace as a tree: who called whom, how long each step took, what failed."""

from collections import defaultdict

from rich.markup import escape
from rich.tree import Tree

from client.cli.text import one_line
from client.models import Span, Trace

MOST = 12
"""Siblings shown; of a mailing's thousands the rest is counted."""
MILLISECOND, SECOND, MINUTE = 1_000_000, 1_000_000_000, 60_000_000_000


def trace_tree(trace: Trace) -> Tree:
    """The spans under their parents, in order of their start, each with its length and when it began after the first.

    A span whose parent is unknown stands at the top: the caller's own span (a `traceparent` from outside) is not in the house's
    records. One that is only linked to another (a retry, a redrive) stands under that, marked with ↻.
    """
    spans = sorted(trace.spans, key=lambda span: span.start)
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Span]] = defaultdict(list)
    for span in spans:
        below[_above(span, known)].append(span)
    origin = spans[0].start if spans else 0
    tree = Tree(f"trace {escape(one_line(trace.trace_id or 'none'))}")
    pending: list[tuple[Tree, str | None]] = [(tree, None)]
    while pending:  # not by recursion: a forged trace must not exhaust the stack
        branch, parent = pending.pop()
        children = below.pop(parent, [])
        pending.extend((branch.add(_label(span, known, origin)), span.span_id) for span in children[:MOST])
        if len(children) > MOST:
            branch.add(f"[dim]… {len(children) - MOST} more[/dim]")
    return tree


def _above(span: Span, known: set[str]) -> str | None:
    candidates = [span.parent_id] if span.parent_id else [target for _, target in span.links]
    return next((target for target in candidates if target in known and target != span.span_id), None)


def _label(span: Span, known: set[str], origin: int) -> str:
    linked = "↻ " if span.parent_id is None and _above(span, known) else ""
    took = "" if span.ns is None else f" {length(span.ns)}"
    failed = f" [red]✗ {escape(one_line(span.error))}[/red]" if span.error else ""
    where = f"[cyan]{escape(one_line(span.service))}[/cyan]"
    return f"{linked}{escape(one_line(span.name))} {where}{took} [dim]+{length(span.start - origin)}[/dim]{failed}"


def length(ns: int) -> str:
    """A duration for people: `0.4 ms`, `1.24 s`, `3 m 05 s`."""
    if ns < SECOND:
        return f"{ns / MILLISECOND:.1f} ms"
    if ns < MINUTE:
        return f"{ns / SECOND:.2f} s"
    minutes, rest = divmod(ns // SECOND, 60)
    return f"{minutes} m {rest:02} s"
