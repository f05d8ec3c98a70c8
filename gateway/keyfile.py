"""A secret in a file of the home that is written once, readable by its owner only."""

import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.errors import SettingsError


def kept_key(path: Path, make: Callable[[], str], form: re.Pattern[str]) -> str:
    """The secret in `path`, made by `make` at the first call; of several processes that start at once, one wins.

    Raises `SettingsError` where the file holds something that `form` does not match.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first; a rename would replace its key
                os.link(temporary, path)
        finally:
            temporary.unlink()
    path.chmod(0o600)
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if not form.fullmatch(key):
        raise SettingsError(f"{path.name} in COUNTERFOIL_HOME does not hold an API key; remove the file to get a new one")
    return key
