"""A worker in a process of its own, to be killed: `python -m tests.integration.transcoder_worker FOLDER` encodes without end.

It prints the pid of its FFmpeg once that has made progress.
"""

import sys
from pathlib import Path

from services.transcoder.binary import tools
from services.transcoder.process import Limits
from services.transcoder.progress import Snapshot
from services.transcoder.run import Watch, run

ENDLESS = [
    "-nostdin",
    "-v",
    "error",
    "-re",
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=128x72",
    "-progress",
    "pipe:1",
    "-stats_period",
    "0.1",
    "-f",
    "null",
    "-",
]
LIMITS = Limits(cpu_seconds=300, memory_mb=4_096, file_bytes=2**30)


def main(folder: Path) -> None:
    """Encode until killed."""

    def tell(at: Snapshot) -> None:
        if at.frame:
            children = Path("/proc/self/task")
            pids = [pid for task in children.iterdir() for pid in (task / "children").read_text(encoding="ascii").split()]
            print(*pids, flush=True)  # noqa: T201 - the test reads it

    watch = Watch(lambda: None, stall_seconds=60.0, on_progress=tell)
    run([str(tools().ffmpeg.path), *ENDLESS], cwd=folder, limits=LIMITS, watch=watch)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
