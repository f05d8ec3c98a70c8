"""The figures as text, and as a section of docs/benchmarks.md between two markers."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.submit.figures import Summary

BEGIN, END = "<!-- bench.submit: written by `python -m bench.submit` -->", "<!-- /bench.submit -->"
INTRODUCTION = (
    "One uvicorn process each, in turns, against the same server, which is emptied before every turn. Ours with everything on: API "
    "key, limits, an idempotency key for each request, the ledger's record and first event, the broker's message, the trace."
)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def ratios(summaries: Sequence[Summary]) -> str:
    """How the last gateway compares with each of those before it."""
    *others, last = summaries
    return "; ".join(f"{last.name}: **{last.rate / other.rate:.2f} ×** {other.name}" for other in others if other.rate)


def table(summaries: Sequence[Summary]) -> str:
    """A Markdown table, a gateway a row."""
    lines = ["| gateway | requests/s (slowest-fastest turn) | p50 ms | p99 ms | CPU µs a request | not 2xx |", "|---|---|---|---|---|---|"]
    for one in summaries:
        rates = f"{one.rate:,.0f} ({one.slowest:,.0f}-{one.fastest:,.0f})"
        lines.append(f"| {one.name} | {rates} | {one.p50:.1f} | {one.p99:.1f} | {one.cpu_us:,.0f} | {one.refused} |")
    return "\n".join(lines)


def section(summaries: Sequence[Summary], *, command: str, server: str, fsync: str, tool: str, turns: int) -> str:
    """The whole section with what was run, where and how."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "uvicorn", "celery", "redis"))
    place = f"Python {platform.python_version()} · {packages} · {os.cpu_count()} cores · {datetime.now(UTC):%Y-%m-%d}"
    how = f"`{command}` · medians of {turns} turns each · {tool} · {server}, AOF with appendfsync {fsync} · {place}"
    return "\n".join((BEGIN, "## Submitting", "", INTRODUCTION, "", table(summaries), "", f"{ratios(summaries)}.", "", how, END))


def write(text: str, page: Path = PAGE, *, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Put the section in place of the last one between these markers, or at the end; the page is made where there is none."""
    before = (
        page.read_text(encoding="utf-8")
        if page.exists()
        else "# Benchmarks\n\nRatios travel better than figures: run them on your machine.\n"
    )
    head, begin, rest = before.partition(markers[0])
    tail = rest.partition(markers[1])[2] if begin else ""
    page.write_text(f"{head.rstrip()}\n\n{text}\n\n{tail.lstrip()}".rstrip() + "\n", encoding="utf-8")
