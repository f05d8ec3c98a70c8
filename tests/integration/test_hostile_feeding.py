"""The harness of hostile images tells an image's doing from a busy machine's."""

import sys
from pathlib import Path

import pytest

from tests.hostile_images.feeding import Limits, Verdict, feed

EATER = """
import json, os, signal, sys, time
from pathlib import Path
tale, seen = dict(word.split("=") for word in sys.argv[2].split(",")), Path(sys.argv[1])
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    print(number, flush=True)
    what = tale.get(str(number), "eat")
    once = seen / str(number)
    again = once.exists()
    once.touch()
    if what == "crash" or (what == "crash-once" and not again):
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "spin":
        while True: pass
    if what == "hang" or (what == "hang-once" and not again):
        time.sleep(600)
    print(json.dumps([number, "drawn", 0.0, 1]), flush=True)
    if what == "crash-after-once" and not again:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("tale", "findings", "alarms"), [
    ("2=eat", 0, 0), ("2=crash", 1, 0), ("2=spin", 1, 0),
    ("0=crash-once", 0, 1), ("2=hang-once", 0, 1), ("2=crash-after-once", 0, 1), ("3=crash-after-once", 0, 1),
])  # fmt: skip
def test_only_what_happens_again_is_a_finding(tmp_path: Path, tale: str, findings: int, alarms: int) -> None:
    """A crash, an endless loop and a hang are an image's doing where they repeat for it alone; every image is judged all the same."""
    (tmp_path / "eater.py").write_text(EATER)
    verdict = Verdict()
    eater = (sys.executable, "-I", str(tmp_path / "eater.py"), str(tmp_path), tale)
    feed(0, 4, verdict, eater=eater, limits=Limits(busy=0.4, idle=2.0, look_every=0.05))

    assert (findings, alarms) == (len(verdict.findings), len(verdict.alarms)), (verdict.findings, verdict.alarms)
    assert 4 == verdict.fates.total()
    assert all(line.startswith(f"image {tale[0]}:") for line in verdict.findings)
