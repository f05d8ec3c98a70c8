"""Takes the home, runs its plan until told to stop, and keeps runtime.json true meanwhile."""

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from deploy.embedded.home import only_supervisor, read_runtime, write_runtime
from deploy.embedded.leftovers import end_marked, mark
from deploy.embedded.logs import Console
from deploy.embedded.plan import ROOT, Places, processes, resolve
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.spec import Spec
from deploy.embedded.supervisor import Supervisor

Plan = Callable[[EmbeddedSettings, Places, str], list[Spec]]
"""Settings, places and the run's mark → the processes."""

GREEN = 32


def banner(settings: EmbeddedSettings, places: Places) -> str:
    """What a newcomer wants to know first."""
    lines = {
        "Console": f"{places.gateway}/console",
        "API": f"{places.gateway}/docs",
        "Health": f"{places.gateway}/readyz",
        "Mail": places.mail or places.smtp.rpartition("@")[2],
        "API key": f"in {settings.home / 'api-key'}",
        "Logs": f"in {settings.home / 'logs'}",
    }
    rows = "\n".join(f"  {name:<9}{value}" for name, value in lines.items())
    return f"\nCounterfoil is ready. Ctrl-C stops it.\n\n{rows}\n"


def _runtime(settings: EmbeddedSettings, places: Places) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "ready": False,
        "waiting": [],
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


async def _run(settings: EmbeddedSettings, console: Console, plan: Plan) -> None:
    places = resolve(settings, int(read_runtime(settings.home).get("ledger_port") or 0))
    run = mark(settings.home, secrets.token_hex(4))
    runtime = _runtime(settings, places)

    def note() -> None:
        runtime["processes"] = {child.spec.name: {"pid": child.pid, "starts": child.starts} for child in supervisor.children}
        write_runtime(settings.home, runtime)

    def waiting(titles: Sequence[str]) -> None:
        if titles and list(titles) != runtime["waiting"]:
            console.say(f"  waiting for {', '.join(titles)} …")
        runtime["waiting"] = list(titles)
        note()

    def ready() -> None:
        runtime["ready"] = True
        note()
        console.say(banner(settings, places), GREEN)

    specs = plan(settings, places, run)
    logs = settings.home / "logs"
    supervisor = Supervisor(specs, mark=run, root=ROOT, logs=logs, console=console, on_waiting=waiting, on_ready=ready, on_change=note)
    console.say(f"Starting {len(specs)} processes; data in {settings.home}")
    await supervisor.run()
    runtime |= {"pid": None, "ready": False}
    note()
    console.say("Stopped.")


def serve(settings: EmbeddedSettings, console: Console, plan: Plan = processes) -> None:
    """Run the home until SIGINT, SIGTERM or SIGHUP.

    Raises:
        SettingsError: it cannot be started as it is set; nothing was started.
    """
    with only_supervisor(settings.home):
        end_marked(mark(settings.home))  # of a supervisor that was killed together with its guard
        asyncio.run(_run(settings, console, plan))
