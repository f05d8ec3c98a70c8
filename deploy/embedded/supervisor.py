"""Runs the home's processes: up in stages, watched, down in the reverse order."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.embedded.child import Child
from deploy.embedded.leftovers import end_marked
from deploy.embedded.logs import Console, Log
from deploy.embedded.spec import Spec, Stage

PATIENCE = {Stage.SCHEDULES: 0.5, Stage.ROOMS: 10.0, Stage.LEDGER: 1.5, Stage.GUARD: 0.3}
"""Seconds each stage may take to end before it is killed: 12.3 in all, of the 15 that stopping may take."""
LATE = 60.0
"""Seconds after which a start that is not ready yet is remarked on."""
LOOK = 0.1
SETTLE = 8.0
"""Seconds from ready to the start of the schedules: the first jobs have the processors to themselves."""


class Supervisor:
    """Owns the children.

    `on_waiting` is called with the titles of what does not answer yet, whenever they change; `on_ready` once, when all answer but the
    schedules, which start after it; `on_change` at every start and death of a process.
    """

    def __init__(
        self,
        specs: Sequence[Spec],
        *,
        mark: str,
        root: Path,
        logs: Path,
        console: Console,
        on_waiting: Callable[[Sequence[str]], None] = lambda _: None,
        on_ready: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._mark = mark
        self._console = console
        self._on_waiting = on_waiting
        self._on_ready = on_ready
        self._stop_asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._asked_at = 0.0
        env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(root)}
        self.children = [
            Child(
                spec, mark=f"{mark}{spec.name}#", env=env, cwd=root, log=Log(logs / f"{spec.name}.log"), console=console, changed=on_change
            )
            for spec in specs
        ]
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; a second one does not wait for anybody. Nothing is left running."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.ask_to_stop)
        coming_up = asyncio.create_task(self._up())
        await self._stop_asked.wait()
        coming_up.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await coming_up
        await self._down()

    def ask_to_stop(self) -> None:
        """Stop; asked again: at once. Twice within a second is once: make passes on a signal that its whole group got already."""
        now = time.monotonic()
        if self._stop_asked.is_set():
            if now - self._asked_at > 1.0 and not self._hurry.is_set():
                self._hurry.set()
                self._console.say("Stopping at once.")
            return
        self._asked_at = now
        self._console.say("Stopping: running jobs get a moment to end or are given back. Again to stop at once.")
        self._stop_asked.set()

    async def _up(self) -> None:
        late = asyncio.get_running_loop().call_later(LATE, self._remark_on_lateness)
        try:
            for stage in (Stage.GUARD, Stage.LEDGER, Stage.ROOMS):
                self._start(stage)
                await self._until_all_answer(self._in(stage))
            self._on_ready()
        finally:
            late.cancel()
        await asyncio.sleep(SETTLE)
        self._start(Stage.SCHEDULES)

    def _start(self, stage: Stage) -> None:
        for child in self._in(stage):
            self._tasks[child.spec.name] = asyncio.create_task(child.run())

    async def _until_all_answer(self, children: Sequence[Child]) -> None:
        waiting = {child.spec.title or child.spec.name: child for child in children if child.spec.answers is not None}
        async with asyncio.TaskGroup() as looks:
            for title, child in tuple(waiting.items()):
                looks.create_task(self._until_it_answers(title, child, waiting))

    async def _until_it_answers(self, title: str, child: Child, waiting: dict[str, Child]) -> None:
        answers = child.spec.answers
        self._on_waiting(tuple(waiting))
        while answers is not None and not await asyncio.to_thread(answers):  # noqa: ASYNC110 - readiness elsewhere sends no event
            await asyncio.sleep(LOOK)
        del waiting[title]
        self._on_waiting(tuple(waiting))

    def _remark_on_lateness(self) -> None:
        self._console.warn(f"Not everything answers after {LATE:.0f} s; still trying. The log files say why.")

    async def _down(self) -> None:
        for stage in reversed(Stage):
            children = self._in(stage)
            tasks = [self._tasks[child.spec.name] for child in children if child.spec.name in self._tasks]
            for child in children:
                child.stop()
            if not await self._ended(tasks, PATIENCE[stage]):
                for child in children:
                    child.kill()
                await self._ended(tasks, 0.7)
        await asyncio.to_thread(end_marked, self._mark, within=1.0)

    async def _ended(self, tasks: Sequence[asyncio.Task[None]], patience: float) -> bool:
        """True if all ended in time and nobody was in a hurry."""
        if not tasks:
            return True
        hurry = asyncio.ensure_future(self._hurry.wait())
        all_ended = asyncio.ensure_future(asyncio.wait(tasks))
        await asyncio.wait({hurry, all_ended}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        all_ended.cancel()
        return all(task.done() for task in tasks)

    def _in(self, stage: Stage) -> list[Child]:
        return [child for child in self.children if child.spec.stage == stage]
