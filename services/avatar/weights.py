"""Model files as they were reviewed, or not at all."""

import hashlib
from pathlib import Path

from shared.errors import SettingsError


def reviewed(path: Path, digest: str) -> bytes:
    """The bytes of `path`, whose SHA-256 is `digest`.

    Raises:
        SettingsError: the file is missing or is another one.
    """
    if not path.is_file():
        raise SettingsError(f"The model {path.name} is missing; the image or checkout is incomplete.")
    weights = path.read_bytes()
    if hashlib.sha256(weights).hexdigest() != digest:
        raise SettingsError(f"The model {path.name} is not the file that was reviewed: its SHA-256 differs. Restore it from the release.")
    return weights
