"""The embedded home: what dies comes back, what is stopped is gone, and the ledger forgets nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tests.integration.embedded_driver import ROOT, Home, until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home that leaves nothing running, whatever the test does."""
    home = Home(tmp_path / "a home")
    yield home
    home.close()


def _ledger(home: Home) -> "redis.Redis":
    return redis.Redis.from_url(home.runtime["redis_url"], decode_responses=True)


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_ledger_survives_sigkill(home: Home) -> None:
    """A killed ledger answers again within 2 s and has everything that it ever acknowledged."""
    home.up("steady")
    with _ledger(home) as client:
        acknowledged = [client.incr("promises") for _ in range(500)][-1]
        os.kill(home.pid("ledger"), signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: _answers(client), within=10, what="the ledger answers again")
        took = time.monotonic() - killed

        assert str(acknowledged) == client.get("promises")
        assert took < 2


def test_ledger_is_configured_to_keep_promises(home: Home) -> None:
    """Written before it is answered, never evicted, and closed to whoever has no password."""
    home.up("steady")
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1"}
    with _ledger(home) as client:
        found = {name: client.config_get(name)[name] for name in wanted}
    with redis.Redis(port=home.runtime["ledger_port"]) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    assert wanted == found


def test_dead_process_comes_back(home: Home) -> None:
    """A killed process is started again within 2 s, what it had started itself is ended, and nobody else notices."""
    home.up("steady,parent")
    before, other = home.pid("parent"), home.pid("steady")
    (orphan,) = until(lambda: psutil.Process(before).children(), within=5, what="its child")
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: home.pid("parent") not in (0, before), within=5, what="another process")
    took = time.monotonic() - killed

    assert took < 2
    assert orphan not in home.alive()
    assert other == home.pid("steady")


def test_sigterm_stops_all(home: Home) -> None:
    """SIGTERM ends everything within 15 s, even a process that does not listen."""
    supervisor = home.up("steady,deaf,parent")
    asked = time.monotonic()
    supervisor.terminate()
    code = supervisor.wait(timeout=20)
    took = time.monotonic() - asked

    assert code == 0
    assert took < 15
    assert home.alive() == []
    assert home.runtime["pid"] is None


def test_killed_supervisor_leaves_nothing(home: Home) -> None:
    """SIGKILL of the supervisor ends every process of the home; the next start finds the same ledger at the same port."""
    supervisor = home.up("steady,deaf,parent")
    port = home.runtime["ledger_port"]
    with _ledger(home) as client:
        client.set("promise", "kept")
    supervisor.kill()
    until(lambda: not home.alive(), within=5, what="nothing is left")
    home.up("steady")
    with _ledger(home) as client:
        promise = client.get("promise")

    assert promise == "kept"
    assert port == home.runtime["ledger_port"]


def test_next_start_clears_up(home: Home) -> None:
    """Where supervisor and guard were killed together, the next start ends what they left, and runs."""
    supervisor = home.up("deaf")
    left = home.pid("deaf")
    os.kill(home.pid("guard"), signal.SIGSTOP)  # it must not see its pipe close before it is killed
    supervisor.kill()
    os.kill(home.pid("guard"), signal.SIGKILL)
    supervisor.wait()
    survivors = {process.pid for process in home.alive()}
    home.up("deaf")

    assert left in survivors
    assert survivors.isdisjoint(process.pid for process in home.alive())


def test_crash_loop_is_told(home: Home) -> None:
    """A process that cannot run is tried again and again, loudly and with its last words, and stops nobody else."""
    supervisor = home.up("steady,crasher")
    other = home.pid("steady")
    said = next(line for line in _console(supervisor) if "again and again" in line)
    last = next(_console(supervisor))

    assert said.startswith("crasher ended with status 3 again and again; next try in 5 s.")
    assert last.strip() == "out of luck"
    assert other == home.pid("steady")


def _console(supervisor: subprocess.Popen[str]) -> Iterator[str]:
    assert supervisor.stdout
    return iter(supervisor.stdout)


def test_one_supervisor_per_home(home: Home) -> None:
    """A second supervisor on the same home refuses with a sentence and does the first no harm."""
    first = home.up("steady")
    before = home.pid("steady")
    second = _embedded(home, COUNTERFOIL_PORT="0")

    assert second.returncode == 2
    assert f"already runs on {home.folder} (process {first.pid})" in second.stderr
    assert before == home.pid("steady")


def test_taken_port_is_refused(home: Home) -> None:
    """A port in use is refused with a sentence that names it, its purpose and the variable; nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _embedded(home, COUNTERFOIL_PORT=str(port))

    assert refused.returncode == 2
    assert f"Port {port} on 127.0.0.1, wanted for the gateway, is in use" in refused.stderr
    assert "COUNTERFOIL_PORT" in refused.stderr
    assert home.alive() == []


def _embedded(home: Home, **env: str) -> subprocess.CompletedProcess[str]:
    full = {**os.environ, "COUNTERFOIL_HOME": str(home.folder), **env}
    return subprocess.run(
        [sys.executable, "-m", "deploy.embedded"], cwd=ROOT, env=full, capture_output=True, text=True, timeout=30, check=False
    )
