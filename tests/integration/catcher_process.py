"""The real catcher as a process, for tests: free ports, a folder, ready when /readyz says so."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True, slots=True)
class Catcher:
    """A running catcher."""

    smtp_port: int
    http: httpx.Client
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def smtp_url(self) -> str:
        """For MAILER_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.smtp_port}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        with suppress(httpx.TransportError):
            if http.get("/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise AssertionError("the catcher did not get ready")


@contextmanager
def catching(folder: Path) -> Iterator[Catcher]:
    """A catcher on this folder; killed at the end if it has not ended."""
    smtp_port, http_port = _free_ports(2)
    ports = ["--smtp-port", str(smtp_port), "--http-port", str(http_port)]
    process = subprocess.Popen([sys.executable, "-m", "deploy.catcher", *ports, "--dir", str(folder)], env=dict(os.environ))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=30) as http:
            _wait_until_ready(http, process)
            yield Catcher(smtp_port, http, process, folder)
    finally:
        process.kill()
        process.wait()
