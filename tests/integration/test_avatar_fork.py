"""The worker's parent stays light, and everything heavy works in a child forked from it."""

import subprocess
import sys

HEAVY = "{'numpy', 'PIL', 'pyvips', 'dicebear', 'jsonschema', 'ai_edge_litert', 'pi_heif', 'onnxruntime'}"
PROGRAM = f"""
import os, sys
from services.avatar import catalogue, policy, settings, tasks, warm_up
assert len(catalogue.catalogue()["engines"]["illustrated"]["styles"]) == 61
print("heavy in the parent:", sorted({HEAVY} & set(sys.modules)), flush=True)
child = os.fork()
if child == 0:
    warm_up.warm_up()
    print("loaded in the child:", len({HEAVY} & set(sys.modules)), flush=True)
    os._exit(0)
print("child ended with:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_parent_imports_nothing_heavy_and_the_child_draws() -> None:
    """If libvips is used before a fork it hangs the child: the parent must not even import it, nor what costs memory."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=90, check=False)

    assert "heavy in the parent: []" in run.stdout, run.stderr
    assert "loaded in the child: 8" in run.stdout, run.stderr
    assert "child ended with: 0" in run.stdout, run.stderr
