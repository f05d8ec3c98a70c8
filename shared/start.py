"""Starts a service's worker or its Beat: `python -m shared.start worker services.avatar.app`.

Celery's own command does the same and works as well (`celery -A services.avatar.app worker --without-gossip --without-mingle`), but
it imports every sub-command that is installed, its interactive shell and Flower among them, before it starts one: up to half of
the CPU time of a start.
"""

import argparse
import importlib
import socket
from collections.abc import Sequence
from typing import Any

from shared.bus import queue_names
from shared.settings import PlatformSettings


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(prog="python -m shared.start", description="Start a service's worker or its Beat.")
    parser.add_argument("role", choices=["worker", "beat"])
    parser.add_argument("app", help="the module with the Celery app, such as services.avatar.app")
    parser.add_argument("--queues", help="worker: take only these, comma-separated; default: all that any machine can serve")
    parser.add_argument(
        "--need", help="worker: take only what needs this, of any priority: gpu is avatar.gpu.high, avatar.gpu, avatar.gpu.low"
    )
    parser.add_argument("--pool", choices=["prefork", "solo"], help="worker: solo runs one job at a time in the worker's own process")
    parser.add_argument("--concurrency", type=int, help="worker: pool children; default: the service's setting, else its policy's")
    asked = parser.parse_args(given)
    if asked.queues and asked.need:
        parser.error("--need names the queues already: leave --queues out")
    return asked


def worker(app: Any, *, queues: str | None, concurrency: int | None, need: str | None = None, pool: str | None = None) -> int:
    """Run a worker until it is told to stop; its exit status."""
    name = app.main
    if need is not None:
        name, queues = f"{app.main}-{need}", ",".join(queue_names(f"{app.main}.{need}"))
    # Gossip and mingling tell workers of each other; here the ledger does.
    options = {"queues": queues, "concurrency": concurrency, "pool": pool, "without_gossip": True, "without_mingle": True, "quiet": True}
    running = app.Worker(hostname=f"{name}@{socket.gethostname()}", loglevel=PlatformSettings().log_level, **options)
    running.start()
    return int(running.exitcode or 0)


def main() -> int:
    """Start what the command line says; returns its exit status."""
    asked = arguments()
    app = importlib.import_module(asked.app).app
    if asked.role == "worker":
        return worker(app, queues=asked.queues, concurrency=asked.concurrency, need=asked.need, pool=asked.pool)
    app.Beat(loglevel=PlatformSettings().log_level, quiet=True).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
