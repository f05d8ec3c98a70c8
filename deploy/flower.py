"""`python -m deploy.flower`, which is `make flower`: Celery's dashboard for the home that is up, behind a login.

Flower sees what Celery sees: workers, pools and messages. What became of a job is in the ledger, so ask the gateway for that.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from deploy.embedded.home import read_runtime
from deploy.embedded.ports import claim
from deploy.embedded.settings import EmbeddedSettings
from shared.errors import SettingsError

USER = "counterfoil"


def login(home: Path) -> str:
    """`user:password`, made at the first start and kept in the home, readable by its owner only."""
    file = home / "flower-login"
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{USER}:{secrets.token_urlsafe(18)}")
    return file.read_text().strip()


def broker_url(settings: EmbeddedSettings) -> str:
    """Where the home's messages go.

    Raises:
        SettingsError: no home was ever up here.
    """
    found = os.environ.get("COUNTERFOIL_BROKER_URL") or settings.redis_url or str(read_runtime(settings.home).get("redis_url") or "")
    if not found:
        raise SettingsError(f"Nothing runs on {settings.home} yet: start it with 'make up'.")
    return found


def main() -> int:
    """Become Flower, on loopback.

    Returns:
        2 where no home is up or the port is taken; otherwise it does not return.
    """
    arguments = argparse.ArgumentParser(prog="python -m deploy.flower", description="Celery's dashboard for the embedded home.")
    arguments.add_argument("--port", type=int, default=5555)
    given = arguments.parse_args()
    settings = EmbeddedSettings()
    try:
        # By environment, not by arguments: those are for every user of the machine to read.
        env = {**os.environ, "CELERY_BROKER_URL": broker_url(settings), "FLOWER_BASIC_AUTH": login(settings.home)}
        port = claim("127.0.0.1", given.port, what="Flower", variable="ARGS='--port …'")
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Flower: http://127.0.0.1:{port}  login: in {settings.home / 'flower-login'}", flush=True)
    return os.execve(sys.executable, [sys.executable, "-m", "celery", "flower", "--address=127.0.0.1", f"--port={port}"], env)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    raise SystemExit(main())
