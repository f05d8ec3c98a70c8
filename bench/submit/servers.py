"""The processes of a turn: the ledger's server, and a gateway under uvicorn, one process each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import redis

from deploy.embedded import ledger_server
from deploy.embedded.ports import free_port

START = 60.0
"""Seconds that a process may take to answer."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway to measure. `environ` is made from (the server's URL, an empty home)."""

    name: str
    app: str
    path: str
    environ: Callable[[str, Path], Mapping[str, str]]
    keyed: bool = False
    """With an API key from the home, and an Idempotency-Key of its own for each request."""
    uvicorn: tuple[str, ...] = field(default=("--no-access-log", "--log-level", "warning"))


def tutorial(url: str, _home: Path) -> dict[str, str]:
    """The tutorial's environment."""
    return {"TUTORIAL_REDIS_URL": url}


def ours(url: str, home: Path) -> dict[str, str]:
    """Our gateway's environment: everything on, as `make up` has it."""
    return {"COUNTERFOIL_REDIS_URL": url, "COUNTERFOIL_HOME": str(home)}


GATEWAYS = (
    Gateway("tutorial, `async def`", "bench.submit.tutorial:app", "/async/avatars", tutorial),
    Gateway("tutorial, `def`", "bench.submit.tutorial:app", "/def/avatars", tutorial),
    Gateway(
        "Counterfoil",
        "gateway.app:app",
        "/v1/avatars",
        ours,
        keyed=True,
        uvicorn=("--factory", "--no-access-log", "--log-level", "warning"),
    ),
)


@contextmanager
def ledger(folder: Path, fsync: str) -> Iterator[tuple[str, str]]:
    """The server that `make up` would start, on a free port, for the `with` body: its URL, and what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    server, port = ledger_server.choose(folder), free_port()
    config = ledger_server.write_config(folder, port=port, fsync=fsync)
    url = f"redis://:{ledger_server.password(folder)}@127.0.0.1:{port}/0"
    with running([server.path, str(config)], {}, folder / "server.log") as process:
        client = redis.Redis.from_url(url)
        until(lambda: _pings(client), process, folder / "server.log")
        client.close()
        yield url, str(server)


@contextmanager
def serving(gateway: Gateway, redis_url: str, home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The gateway on a free port and an emptied server, for the `with` body: its address, and its process."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", gateway.app, "--host", "127.0.0.1", "--port", str(port), *gateway.uvicorn]
    with running(command, gateway.environ(redis_url, home), home / "gateway.log") as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _is_ready(address), process, home / "gateway.log")
        yield address, psutil.Process(process.pid)


@contextmanager
def running(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in a file, ended with the `with` body."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env={**os.environ, **environ}, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(is_up: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it is up. Raises RuntimeError with its log where it ended or took too long."""
    deadline = time.monotonic() + START
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not come up:\n{log.read_text(errors='replace')[-2_000:]}")
        time.sleep(0.1)


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2.0).is_success
    except httpx.TransportError:
        return False
