"""`python -m deploy.embedded`, which is `make up`: everything on one machine, in the foreground."""

import argparse
import asyncio
import os
import secrets
import sys
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from deploy.embedded.home import only_supervisor, read_runtime, write_runtime
from deploy.embedded.leftovers import end_marked, mark
from deploy.embedded.logs import Console
from deploy.embedded.plan import ROOT, Places, processes, resolve
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.supervisor import Supervisor
from shared.errors import SettingsError

GREEN = 32
REFUSED = 2
"""The exit status where the home cannot be started as it is set."""


def _banner(settings: EmbeddedSettings, places: Places) -> str:
    key = settings.home / "api-key"
    lines = {
        "API": f"{places.gateway}/docs",
        "Health": f"{places.gateway}/readyz",
        "Mail": places.mail or places.smtp.rpartition("@")[2],
        "API key": f"in {key}",
        "Logs": f"in {settings.home / 'logs'}",
    }
    rows = "\n".join(f"  {name:<9}{value}" for name, value in lines.items())
    return f"\nCounterfoil is ready. Ctrl-C stops it.\n\n{rows}\n"


async def _run(settings: EmbeddedSettings, console: Console) -> None:
    last = read_runtime(settings.home)
    places = resolve(settings, int(last.get("ledger_port") or 0))
    run = mark(settings.home, secrets.token_hex(4))
    runtime: dict[str, Any] = {
        "pid": os.getpid(),
        "ready": False,
        "started_at": datetime.now(UTC).isoformat(),
        "gateway_url": places.gateway,
        "redis_url": places.ledger,
        "ledger_port": places.ledger_port,
        "smtp_url": places.smtp,
        "mail_url": places.mail,
        "api_key_file": str(settings.home / "api-key"),
        "logs": str(settings.home / "logs"),
        "processes": {},
    }

    def note() -> None:
        runtime["processes"] = {child.spec.name: {"pid": child.pid, "starts": child.starts} for child in supervisor.children}
        write_runtime(settings.home, runtime)

    def ready() -> None:
        runtime["ready"] = True
        note()
        console.say(_banner(settings, places), GREEN)

    specs = processes(settings, places, run)
    supervisor = Supervisor(specs, mark=run, root=ROOT, logs=settings.home / "logs", console=console, on_ready=ready, on_change=note)
    console.say(f"Starting {len(specs) - 1} processes; data in {settings.home}")
    await supervisor.run()
    runtime |= {"pid": None, "ready": False}
    note()
    console.say("Stopped.")


def main() -> int:
    """Run the home until it is told to stop.

    Returns:
        0 after an ordinary stop, 2 where it could not be started as it is set.
    """
    arguments = argparse.ArgumentParser(prog="python -m deploy.embedded", description="Run Counterfoil on this machine.")
    arguments.add_argument("--verbose", action="store_true", help="show every process's output, not only the log files")
    verbose = arguments.parse_args().verbose
    try:
        settings = EmbeddedSettings()
        with only_supervisor(settings.home):
            end_marked(mark(settings.home))  # of a supervisor that was killed together with its guard
            asyncio.run(_run(settings, Console(verbose=verbose)))
    except (SettingsError, ValidationError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
