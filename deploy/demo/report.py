"""What the demo prints at its end: the jobs, the files, a trace, and where to look further."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client import Counterfoil, Job
from client.cli.tree import trace_tree
from deploy.demo.errands import Outcome
from deploy.demo.home import Home

SPANS_COME = 5.0
"""Seconds until the spans of a finished job are all written; workers write twice a second."""
LOOK = 0.7
"""Seconds between two looks at a trace; one that did not grow between them is whole."""
SHOWN = 4
"""Files named per job; a film's segments are many."""
PIECES = {".m4s", ".ts"}
INIT = "init.mp4"


def show(console: Console, outcomes: Sequence[Outcome], output: Path) -> None:
    """A row for each job."""
    table = Table(title="Finished jobs", title_justify="left", header_style="bold", box=SIMPLE)
    table.add_column("job", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("artifacts", overflow="fold")
    for outcome in outcomes:
        job = outcome.job
        identity, state = (job.id, str(job.state)) if job else (outcome.errand.label, "not submitted")
        seconds = f"{job.seconds:.1f}" if job and job.seconds is not None else ""
        table.add_row(identity, state, seconds, escape(outcome.problem) or _files(outcome, output))
    console.print(table)


def show_trace(console: Console, client: Counterfoil, job: Job) -> None:
    """One job's trace, once the workers' spans are in it."""
    deadline = time.monotonic() + SPANS_COME
    before, trace = -1, client.trace(job)
    while len(trace.spans) > before and time.monotonic() < deadline:
        time.sleep(LOOK)
        before, trace = len(trace.spans), client.trace(job)
    console.print(f"What happened to {job.id}:", highlight=False)
    console.print(trace_tree(trace))


def where_to_look(console: Console, home: Home, output: Path, *, stays_up: bool) -> None:
    """The addresses, or how to get them back."""
    lines = [
        ("files", str(output)),
        ("console", f"{home.url}/console  (the key is in {_shown(home.folder / 'api-key')})"),
        ("API", f"{home.url}/docs"),
        ("mails", f"{home.mail_url}  (as files: {_shown(home.folder / 'mail' / 'messages')})" if home.mail_url else ""),
        ("a trace", f"{_shown(Path(sys.executable).with_name('counterfoil'))} trace JOB"),
    ]
    for name, value in lines:
        if value:
            console.print(f"  {name:<8} {value}", markup=False, highlight=False, soft_wrap=True)
    if not stays_up:
        said = "The demo started Counterfoil and stops it now; `make up` starts it again with all of this still there."
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _shown(path: Path) -> Path:
    """As one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _files(outcome: Outcome, output: Path) -> str:
    """The folder, and the files that one would open, those first that are no mere pieces."""
    folder = output / outcome.errand.label
    names = sorted((str(path.relative_to(folder)) for path in outcome.files), key=_is_piece)
    more = [f"… and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return "\n".join([f"{folder}/", *(f"  {name}" for name in [*names[:SHOWN], *more])])


def _is_piece(name: str) -> tuple[bool, int, str]:
    path = Path(name)
    return path.suffix in PIECES or path.name == INIT, len(path.parts), name
