"""A supervisor over tiny processes: real guard, real ledger, and whatever Python programs a test names.

Run as a program (`python -m tests.integration.embedded_driver NAMES`) it is the supervisor; `Home` starts and watches it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

from deploy.embedded.home import read_runtime
from deploy.embedded.leftovers import MARK, mark
from deploy.embedded.logs import Console
from deploy.embedded.plan import Places, processes
from deploy.embedded.serve import serve
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.spec import Spec, Stage

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
UP = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
SLEEP = "import time; time.sleep(600)"
PROGRAMS = {
    "steady": f"{UP}; {SLEEP}",
    "deaf": f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {UP}; {SLEEP}",
    "crasher": f"{UP}; print('out of luck'); raise SystemExit(3)",
    "parent": f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); {UP}; {SLEEP}",
}
"""`parent` has a child in a session of its own, as an encoder under a worker is."""


def plan(names: str) -> Callable[[EmbeddedSettings, Places, str], list[Spec]]:
    """The home's own guard and ledger, and the named programs for rooms."""

    def planned(settings: EmbeddedSettings, places: Places, run: str) -> list[Spec]:
        own = [spec for spec in processes(settings, places, run, services=()) if spec.stage is not Stage.ROOMS]
        flags = {name: settings.home / f"{name}-{run.split('#')[-2]}" for name in names.split(",")}
        return [*own, *(Spec(name, (sys.executable, "-c", PROGRAMS[name], str(flag)), answers=flag.exists) for name, flag in flags.items())]

    return planned


def until(look: Callable[[], T], *, within: float, what: str) -> T:
    """What `look` returns once it is true; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {within} s: {what}")


class Home:
    """One supervisor on one folder, and what an onlooker can see of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def start(self, names: str, **env: str) -> subprocess.Popen[str]:
        """Start the supervisor; its console is piped."""
        ports = {f"COUNTERFOIL_{name}": "0" for name in ("PORT", "CATCHER_HTTP_PORT", "CATCHER_SMTP_PORT")}
        command = [sys.executable, "-m", "tests.integration.embedded_driver", names]
        full = {**os.environ, **ports, "COUNTERFOIL_HOME": str(self.folder), **env}
        process = subprocess.Popen(command, cwd=ROOT, env=full, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._started.append(process)
        return process

    def up(self, names: str) -> subprocess.Popen[str]:
        """Start it and wait until it says that it is ready."""
        process = self.start(names)
        until(lambda: self.runtime.get("pid") == process.pid and self.runtime["ready"], within=15, what="ready")
        return process

    @property
    def runtime(self) -> Mapping[str, Any]:
        """runtime.json as it is now."""
        return read_runtime(self.folder)

    def pid(self, name: str) -> int:
        """The process's id now; 0 while there is none."""
        return int(self.runtime["processes"][name]["pid"] or 0)

    def alive(self) -> list[psutil.Process]:
        """Every live process that carries the home's mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK, "").startswith(mark(self.folder)) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def close(self) -> None:
        """End everything, whatever the test left."""
        for process in self._started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        for left in self.alive():
            left.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    serve(EmbeddedSettings(), Console(), plan(sys.argv[1]))
