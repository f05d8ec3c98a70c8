"""The `counterfoil` command that the installer writes."""

import os
import subprocess
from pathlib import Path

from deploy.install import write_command


def test_the_command_runs_this_checkout_from_anywhere(tmp_path: Path) -> None:
    """Called from a folder that has a `client` of its own, with nothing on the path: it is still ours, and passes on its arguments."""
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "__init__.py").write_text("raise SystemExit('not this one')")
    command = write_command(tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run([command, "--help"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert (0, "") == (told.returncode, told.stderr)
    assert "counterfoil submit avatar" in told.stdout
