"""The home that the demo runs in: the one that is up, or one that it starts and stops."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from client import Counterfoil
from client.cli.settings import address
from deploy.embedded import launch
from deploy.embedded.home import read_runtime
from deploy.embedded.settings import EmbeddedSettings

PATIENCE = 120.0
"""Seconds that a start may take; it takes about 10 on two slow cores."""
STOP = 20.0
"""Seconds that stopping may take; the supervisor promises 15."""
LOOK = 0.2


class NotUpError(Exception):
    """The home did not start; the sentence says where to look."""


@dataclass(frozen=True, slots=True)
class Home:
    """A running home. `started` says that the demo started it; `mail_url` is empty where a real relay is used."""

    url: str
    api_key: str
    folder: Path
    mail_url: str
    started: bool

    def client(self) -> Counterfoil:
        """A new client for it."""
        return Counterfoil(self.url, self.api_key)


@contextmanager
def ensure_up(console: Console, *, keep: bool = False) -> Iterator[Home]:
    """A home that answers, for the `with` body; one that had to be started is stopped after it, unless `keep`.

    Raises:
        NotUpError: it could not be started, or COUNTERFOIL_URL names a gateway that does not answer.
    """
    settings = EmbeddedSettings()
    elsewhere = os.environ.get("COUNTERFOIL_URL")
    if elsewhere or (found := _running(settings)) is not None:
        if elsewhere and not _ready(elsewhere):
            raise NotUpError(f"COUNTERFOIL_URL is {elsewhere}, and nothing there is ready.")
        yield _home(settings, elsewhere or found or "", started=False)
        return
    process = _start(settings, keep=keep)
    try:
        url = _await(process, settings, console)
        yield _home(settings, url, started=True)
    finally:
        if not keep:
            _stop(process)


def _running(settings: EmbeddedSettings) -> str | None:
    """The URL of the gateway that runs on this home, or on the port where one would be."""
    told = str(read_runtime(settings.home).get("gateway_url") or "")
    usual = f"http://{settings.host}:{settings.port}"
    has_key = (settings.home / "api-key").exists()
    return next((url for url in (told, usual) if url and has_key and _ready(url)), None)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=3.0).status_code == httpx.codes.OK
    except (httpx.TransportError, httpx.InvalidURL):
        return False


def _home(settings: EmbeddedSettings, url: str, *, started: bool) -> Home:
    # The gateway writes the key at its first start; the address's own rules find it, or say what is missing.
    key = address(url, environ={**os.environ, "COUNTERFOIL_HOME": str(settings.home)}).api_key
    return Home(url, key, settings.home, str(read_runtime(settings.home).get("mail_url") or ""), started)


def _log(settings: EmbeddedSettings) -> Path:
    return settings.home / "logs" / "demo-start.log"


def _start(settings: EmbeddedSettings, *, keep: bool) -> subprocess.Popen[bytes]:
    """The supervisor in a session of its own, so that Ctrl-C reaches the demo first; it ends with the demo unless kept."""
    _log(settings).parent.mkdir(parents=True, exist_ok=True)
    supervisor = (sys.executable, "-m", "deploy.embedded")
    tied = () if keep else (sys.executable, launch.__file__, str(os.getpid()))
    with _log(settings).open("wb") as log:
        return subprocess.Popen(
            [*tied, *supervisor], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )


def _await(process: subprocess.Popen[bytes], settings: EmbeddedSettings, console: Console) -> str:
    began = time.monotonic()
    with console.status("Starting Counterfoil …") as shown:
        while time.monotonic() - began < PATIENCE:
            if process.poll() is not None:
                said = _log(settings).read_text(encoding="utf-8", errors="replace").strip()
                raise NotUpError(f"Counterfoil did not start:\n{said or 'it said nothing'}")
            runtime = read_runtime(settings.home)
            if runtime.get("pid") == process.pid and runtime.get("ready") and _ready(str(runtime["gateway_url"])):
                console.print(f"Counterfoil is up, after {time.monotonic() - began:.0f} s.", highlight=False)
                return str(runtime["gateway_url"])
            if waiting := ", ".join(runtime.get("waiting") or ()):
                shown.update(f"Starting Counterfoil: waiting for {waiting} …")
            time.sleep(LOOK)
    raise NotUpError(f"Counterfoil is not ready after {PATIENCE:.0f} s; the logs are in {settings.home / 'logs'}.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
