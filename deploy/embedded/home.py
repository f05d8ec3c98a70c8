"""The home's folder: one supervisor at a time, and `runtime.json`, which tells others what runs where."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

RUNTIME = "runtime.json"


@contextmanager
def only_supervisor(home: Path) -> Iterator[None]:
    """Hold the home while the block runs. The kernel lets go of it whatever way the process ends.

    Raises:
        SettingsError: another supervisor has it, or the folder cannot be written.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"The home {home} cannot be used: {error.strerror}. Set COUNTERFOIL_HOME to a folder of yours.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield
    except BlockingIOError:
        holder = os.read(lock, 20).decode() or "unknown"
        raise SettingsError(
            f"Counterfoil already runs on {home} (process {holder}). Stop it first, or set COUNTERFOIL_HOME to another folder."
        ) from None
    finally:
        os.close(lock)


def read_runtime(home: Path) -> dict[str, Any]:
    """What the last supervisor wrote; empty where there was none."""
    try:
        found = json.loads((home / RUNTIME).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_runtime(home: Path, runtime: dict[str, Any]) -> None:
    """Replace it at one stroke; readable by the owner only, for the ledger's URL has its password in it."""
    draft = home / f".{RUNTIME}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(runtime, file, indent=2)
    draft.replace(home / RUNTIME)
