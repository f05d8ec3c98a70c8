"""What is measured, against which server: each lane has its senders, and they take turns."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.mailer import postfix
from bench.mailer.transport import stuffed
from bench.submit.servers import running, until
from deploy.embedded.ports import free_port

DELAY = 40
"""Milliseconds of a round trip in the distant lane."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One way to send: `module` of this package ('': smtp-source), how many of the mails it gets, and what it needs to know."""

    name: str
    module: str
    share: float = 1.0
    environ: tuple[tuple[str, str], ...] = ()


SOURCE = Sender("`smtp-source -s 16 -d`", "")
TUTORIAL = Sender("tutorial: a connection and an EmailMessage each", "tutorial", 0.1)
TRANSPORT = Sender("Counterfoil, transport alone", "transport")
WHOLE = Sender("Counterfoil, whole path", "whole", environ=(("BENCH_CHILDREN", "1"),))
PAIR = Sender("Counterfoil, whole path, two children (a worker's default)", "whole", environ=(("BENCH_CHILDREN", "2"),))


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: mails a second, processor microseconds a mail."""

    rate: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Lane:
    """A server, and who sends to it. `share` of the mails go to a slow one."""

    name: str
    senders: tuple[Sender, ...]
    share: float = 1.0


NEAR = Lane("smtp-sink", (SOURCE, TUTORIAL, TRANSPORT, WHOLE, PAIR))
DISTANT = Lane(f"smtp-sink, {DELAY} ms away", (SOURCE, Sender(TUTORIAL.name, "tutorial", 0.02), TRANSPORT, WHOLE), 0.4)
REAL = Lane("a real Postfix", (SOURCE, Sender(TUTORIAL.name, "tutorial", 0.2), TRANSPORT, WHOLE), 0.4)


@contextmanager
def server(lane: Lane, folder: Path) -> Iterator[int]:
    """The lane's server for the `with` body: its port."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    if lane is REAL:
        with postfix.postfix(folder / "postfix") as (port, _):
            yield port
        return
    with postfix.sink(folder) as port:
        if lane is NEAR:
            yield port
            return
        distant = free_port()
        with running([sys.executable, "-m", "bench.mailer.delay", str(distant), str(port), str(DELAY)], {}, folder / "delay.log") as proxy:
            until(lambda: postfix.listens(distant), proxy, folder / "delay.log")
            yield distant


def turn(sender: Sender, port: int, count: int, *, ledger: str, home: Path) -> Turn:
    """Send so many mails. Raises RuntimeError where that fails."""
    count = max(10, int(count * sender.share))
    seconds, cpu = _source(port, count) if not sender.module else _ours(sender, port, count, ledger, home)
    return Turn(count / seconds, cpu * 1e6 / count)


def _source(port: int, count: int) -> tuple[float, float]:
    command = [postfix.found("smtp-source") or "smtp-source", "-s", "16", "-d", "-m", str(count), "-l", str(len(stuffed()))]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, "-f", "a@example.com", "-t", "b@example.com", f"127.0.0.1:{port}"], check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ours(sender: Sender, port: int, count: int, ledger: str, home: Path) -> tuple[float, float]:
    settings: Mapping[str, str] = {
        "MAILER_REDIS_URL": ledger,
        "MAILER_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "MAILER_CONNECTIONS": "16",
        "MAILER_HOME": str(home),
        "COUNTERFOIL_HOME": str(home),
        **dict(sender.environ),
    }
    command = [sys.executable, "-m", "bench.mailer.sender", sender.module, "127.0.0.1", str(port), str(count)]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{sender.name}: {done.stderr[-2_000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return said["seconds"], said["cpu"]
