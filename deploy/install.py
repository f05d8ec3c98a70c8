"""Installs one room's pinned requirements into the environment of the Python that runs this: `python deploy/install.py home`.

Standard library only, for it runs in an empty venv. uv does the work because it is many times faster than pip; but uv reads no pip
configuration, and whoever has pip pointed at a mirror means it: so pip's settings are handed over, and where uv still cannot
install, pip does. Either way every file must match its recorded hash.
"""

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
WITH_COMMAND = ("home", "dev", "client")
"""Rooms that have what the `counterfoil` command needs."""

FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""pip's setting → uv's variable for the same thing."""

OLDER_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
COMMA_SEPARATED = {"UV_FIND_LINKS"}


def uv_environment(pip_config: str, env: Mapping[str, str]) -> dict[str, str]:
    """The variables uv needs to act as pip is configured; `pip_config` is what `pip config list` prints.

    What the user set for uv goes before what they set for pip.
    """
    found: dict[str, str] = {}
    for line in pip_config.splitlines():
        key, _, quoted = line.partition("=")
        name = FROM_PIP.get(key.rpartition(".")[2])
        if name and name not in env and OLDER_NAMES.get(name, name) not in env:
            values = str(ast.literal_eval(quoted)).split()
            found[name] = (",".join if name in COMMA_SEPARATED else " ".join)(values)
    if "UV_INDEX" in found:
        # pip takes a file from any index that has it; uv would only look at the first one. The hashes make that safe.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def _run(*command: str, env: Mapping[str, str] | None = None) -> int:
    return subprocess.run(command, check=False, env=None if env is None else dict(env)).returncode


def _pip() -> list[str]:
    """This environment's pip; a venv made without it gets it from the standard library."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], check=False, capture_output=True).returncode != 0:
        subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
    return pip


def environment_for_uv() -> dict[str, str]:
    """This process's environment, with pip's settings under uv's names."""
    config = subprocess.run([*_pip(), "config", "list"], check=True, capture_output=True, text=True).stdout
    return {**os.environ, **uv_environment(config, os.environ), "UV_PYTHON_DOWNLOADS": "never"}


def install(room: str) -> int:
    """Install `requirements/<room>.txt`; the exit status of the installer that had the last word."""
    wanted = str(FOLDER / f"{room}.txt")
    pip = [*_pip(), "--disable-pip-version-check"]
    quietly = [*pip, "install", "--quiet", "--require-hashes", "-r"]
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists() and _run(*quietly, str(FOLDER / "bootstrap.txt")) != 0:
        print("uv could not be installed; pip will do it alone, which takes longer.", file=sys.stderr)
    if uv.exists():
        command = (str(uv), "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes", "-r", wanted)
        if _run(*command, env=environment_for_uv()) == 0:
            return 0
        print("uv could not install them all; pip tries.", file=sys.stderr)
    return _run(*quietly, wanted)


def write_command(folder: Path, python: str = sys.executable) -> Path:
    """Put a `counterfoil` that runs this checkout from anywhere into `folder`; pyproject's own scripts come only with a built package."""
    command = folder / "counterfoil"
    root = shlex.quote(str(ROOT))
    # -P: a folder that happens to be called `client` where the command is given must not be taken for ours.
    command.write_text(f'#!/bin/sh\nPYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {shlex.quote(python)} -P -m client.cli "$@"\n')
    command.chmod(0o755)
    return command


def main() -> int:
    """Install the room named on the command line."""
    if len(sys.argv) != 2 or not (FOLDER / f"{sys.argv[1]}.txt").exists():  # noqa: PLR2004 - the script and the room
        rooms = ", ".join(sorted(path.stem for path in FOLDER.glob("*.txt")))
        print(f"usage: python deploy/install.py ROOM, one of: {rooms}", file=sys.stderr)
        return 2
    if sys.argv[1] in WITH_COMMAND:
        write_command(Path(sys.executable).parent)
    return install(sys.argv[1])


if __name__ == "__main__":
    raise SystemExit(main())
