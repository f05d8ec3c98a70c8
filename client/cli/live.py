"""Live progress on stderr: bars on a terminal, a line for every tenth elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from client.cli.text import one_line
from client.models import Job
from client.uploads import OnBytes
from client.waiting import OnProgress

STEP = 0.1
"""On something that is no terminal, a line is printed when a job has moved by this much."""


class Bars(Protocol):
    """Shows several things' progress at once; may be used from several threads."""

    def job(self, label: str) -> OnProgress:
        """A line for a job; call what is returned with each newer view of it."""

    def bytes(self, label: str) -> OnBytes:
        """A line for an upload or download; call what is returned with (bytes so far, bytes in all)."""


@contextmanager
def bars(console: Console) -> Iterator[Bars]:
    """Bars on `console` for the `with` body."""
    if not console.is_terminal:
        yield PlainBars(console)
        return
    columns = (
        TextColumn("{task.description}", table_column=None),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield TerminalBars(progress)


def note(job: Job) -> str:
    """State, step and detail of a job in a few words."""
    step = job.progress.step if job.progress.step not in {job.state, "done"} else None
    parts = [str(job.state), step or "", job.progress.detail or ""]
    if job.children and job.children.total:
        parts.append(f"{job.children.succeeded}/{job.children.total} parts")
    if job.progress.eta_seconds and not job.done:
        parts.append(f"{job.progress.eta_seconds:.0f} s left")
    return one_line(" · ".join(part for part in parts if part))


def fraction(job: Job) -> float:
    """How far to draw the bar: full for a success, however the last progress read."""
    return 1.0 if job.state == "succeeded" else job.progress.fraction


class TerminalBars:
    """Bars by rich."""

    def __init__(self, progress: Progress) -> None:
        """Made by `bars`."""
        self._progress = progress

    def job(self, label: str) -> OnProgress:
        """A bar for a job."""
        line = self._progress.add_task(escape(label), total=1.0, note="queued")

        def show(job: Job) -> None:
            self._progress.update(line, completed=fraction(job), note=escape(note(job)))
            if job.done:
                self._progress.stop_task(line)

        return show

    def bytes(self, label: str) -> OnBytes:
        """A bar for bytes."""
        line = self._progress.add_task(escape(label), total=None, note="")

        def show(done: int, total: int) -> None:
            self._progress.update(line, completed=done, total=max(total, 1), note=f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")
            if done >= total:
                self._progress.update(line, completed=max(total, 1))

        return show


class PlainBars:
    """Lines without any control characters, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        """Made by `bars`."""
        self._console = console

    def job(self, label: str) -> OnProgress:
        """Lines for a job: one for each state and step, and one for each tenth."""
        said = self._changes()

        def show(job: Job) -> None:
            if said((job.state, job.progress.step, int(fraction(job) / STEP))):
                self._say(f"{label}: {fraction(job):.0%} {note(job)}")

        return show

    def bytes(self, label: str) -> OnBytes:
        """Lines for bytes: one for each tenth."""
        said = self._changes()

        def show(done: int, total: int) -> None:
            if said(int(done / max(total, 1) / STEP)):
                self._say(f"{label}: {done / 1e6:.1f} of {total / 1e6:.1f} MB")

        return show

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @staticmethod
    def _changes() -> Callable[[object], bool]:
        last: list[object] = [None]

        def changed(now: object) -> bool:
            before, last[0] = last[0], now
            return now != before

        return changed
