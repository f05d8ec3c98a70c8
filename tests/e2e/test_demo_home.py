"""The demo, as a newcomer runs it: the whole home on embedded defaults, one real job of each service, and nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers import ROOT

PORTS = dict.fromkeys(("COUNTERFOIL_PORT", "COUNTERFOIL_CATCHER_HTTP_PORT", "COUNTERFOIL_CATCHER_SMTP_PORT"), "0")


@pytest.mark.serial
@pytest.mark.timeout(300)
def test_the_demo_does_a_real_job_of_each_service_and_cleans_up(tmp_path: Path) -> None:
    """It ends with 0, its artifacts are what they claim to be, no process is left."""
    env = {**os.environ, **PORTS, "COUNTERFOIL_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    env.pop("COUNTERFOIL_URL", None)
    demo = subprocess.run(
        [sys.executable, "-m", "deploy.demo"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280, check=False
    )
    made = tmp_path / "out" / "demo"
    home = tmp_path / "home"
    runtime = json.loads((home / "runtime.json").read_text())
    left = [process.pid for process in psutil.process_iter() if _carries(process, str(home))]

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "4 of 4 jobs succeeded, of 3 services: avatar, mailer, transcoder." in demo.stdout
    assert (made / "avatar" / "avatar-1.png").read_bytes().startswith(b"\x89PNG")
    assert (made / "transcode" / "video-720p.mp4").read_bytes()[4:8] == b"ftyp"
    assert len((made / "mailing" / "recipients.csv").read_text().splitlines()) == 5_001
    assert (None, []) == (runtime["pid"], left)


def _carries(process: psutil.Process, home: str) -> bool:
    """Whether the process belongs to this home. Others' processes may deny the look or end under it: not ours."""
    try:
        return home in process.environ().get("COUNTERFOIL_RUN", "")
    except psutil.Error:
        return False
