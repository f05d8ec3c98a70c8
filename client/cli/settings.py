"""Where the gateway is and which key opens it: options go before the environment, which goes before the home folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.errors import ClientError

DEFAULT_PORT = "8000"


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway's URL and an API key for it."""

    url: str
    api_key: str


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The data folder of an embedded installation."""
    return Path(environ.get("COUNTERFOIL_HOME") or ".counterfoil")


def address(url: str | None = None, api_key: str | None = None, environ: Mapping[str, str] = os.environ) -> Address:
    """The gateway to talk to. Raises ClientError where no API key can be found."""
    where = url or environ.get("COUNTERFOIL_URL") or f"http://127.0.0.1:{environ.get('COUNTERFOIL_PORT') or DEFAULT_PORT}"
    key = api_key or environ.get("COUNTERFOIL_API_KEY") or _from_file(home(environ) / "api-key")
    if not key:
        raise ClientError(
            f"There is no API key: set COUNTERFOIL_API_KEY, give --api-key, or run where {home(environ) / 'api-key'} is "
            "(the first `make up` writes it)."
        )
    return Address(where, key)


def _from_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ClientError(f"The API key in {path} cannot be read: {error.strerror}.") from error
