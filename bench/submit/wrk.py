"""Load by wrk (https://github.com/wg/wrk), where it is installed: the tool that costs the least processor itself."""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from bench.submit.figures import Figures, Load

SCRIPT = Path(__file__).with_name("wrk.lua")


def available() -> bool:
    """Whether wrk is on PATH."""
    return shutil.which("wrk") is not None


def run(load: Load, *, seconds: float, connections: int) -> Figures:
    """Load the URL with one thread of wrk. Raises RuntimeError with what wrk said where it measured nothing."""
    environ = {
        **os.environ,
        "LOAD_BODY": load.body.decode(),
        "LOAD_HEADERS": "\n".join(f"{name}: {value}" for name, value in load.headers.items()),
        "LOAD_UNIQUE": "1" if load.unique_keys else "0",
        "LOAD_RUN": secrets.token_hex(6),
    }
    duration = f"{max(round(seconds), 1)}s"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{duration}", "--timeout", "20s", "-s", str(SCRIPT), load.url]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    for line in said.stdout.splitlines():
        if line.startswith("FIGURES "):
            told = json.loads(line.removeprefix("FIGURES "))
            return Figures(told["requests"] / told["seconds"], told["p50"], told["p99"], told["requests"], told["refused"])
    raise RuntimeError(f"wrk measured nothing: {said.stdout}{said.stderr}")
