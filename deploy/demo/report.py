"""What the demo prints at its end: the jobs, the files, a trace, and where to look further."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from client import Counterfoil, Job
from client.cli.tree import trace_tree
from client.models import Trace
from deploy.demo.errands import Outcome
from deploy.demo.home import Home

SPANS_COME = 5.0
"""Seconds until the spans of a finished job are all written; workers write twice a second."""
SHOWN = 4
"""Files named per job; a film's segments are many."""


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """A row for each job."""
    table = Table(title="Finished jobs", title_justify="left", header_style="bold")
    for heading in ("job", "state", "seconds", "artifacts"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        job = outcome.job
        state = str(job.state) if job else "not submitted"
        seconds = f"{job.seconds:.1f}" if job and job.seconds is not None else ""
        table.add_row(f"{outcome.errand.label}\n{job.id if job else ''}", state, seconds, outcome.problem or _files(outcome.files))
    console.print(table)


def show_trace(console: Console, client: Counterfoil, job: Job) -> None:
    """One job's trace, once the worker's spans are in it."""
    deadline = time.monotonic() + SPANS_COME
    trace = client.trace(job)
    while not _is_whole(trace) and time.monotonic() < deadline:
        time.sleep(0.25)
        trace = client.trace(job)
    console.print(trace_tree(trace))


def where_to_look(console: Console, home: Home, output: Path, *, stays_up: bool) -> None:
    """The addresses, or how to get them back."""
    lines = [
        ("files", str(output)),
        ("API", f"{home.url}/docs"),
        ("mails", f"{home.mail_url}  (as files: {home.folder / 'mail' / 'messages'})" if home.mail_url else ""),
        ("a trace", "counterfoil trace JOB  (python -m client.cli trace JOB)"),
    ]
    for name, value in lines:
        if value:
            console.print(f"  {name:<8} {value}", markup=False, highlight=False, soft_wrap=True)
    if not stays_up:
        console.print("The demo started Counterfoil and stops it now; `make up` starts it again with all of this still there.")


def _files(files: Sequence[Path]) -> str:
    named = [str(path) for path in files[:SHOWN]]
    return "\n".join([*named, f"… and {len(files) - SHOWN} more"] if len(files) > SHOWN else named)


def _is_whole(trace: Trace) -> bool:
    return any(span.name.startswith("process ") for span in trace.spans)
