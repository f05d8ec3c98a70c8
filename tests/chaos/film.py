"""`python -m tests.chaos.film --gigabytes 10`: a large film through a real home, with kills on the way, and everybody's memory looked at.

The gateway is killed in the middle of the upload, the worker in the middle of the encode. The film is raw pictures, so that it is large
and quickly encoded. Prints what it found; exits with 0 where the film is whole and no segment was encoded twice.
"""

import argparse
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx
import psutil

from services.transcoder.binary import tools
from tests.e2e.house import House, house
from tests.servers import wait_until

PIECE = 8 * 2**20
VERSION = {"Tus-Resumable": "1.0.0"}
FRAME_BYTES = 1920 * 1080 * 3 // 2
RATE = 25
WHO = {"gateway": "gateway.app", "worker": "services.transcoder.app"}
PATIENCE = 3_600.0


def main() -> int:
    """Do it once."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.film", description="A large film, with kills on the way.")
    parser.add_argument("--gigabytes", type=float, default=10.0, help="of the source (default: 10)")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where it all goes: two and a half times the source (default: the system's)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        source = make(Path(name) / "film.mkv", int(args.gigabytes * 1e9))
        say(f"source: {source.stat().st_size / 1e9:.2f} GB")
        shortest = f"{min(max(args.gigabytes * 1e9 / FRAME_BYTES / RATE / 8, 2), 15):.0f}"
        with house(Path(name) / "home", TRANSCODER_SHORTEST_PART=shortest) as home, Memory(home) as memory:
            began = time.monotonic()
            upload = send(home, source)
            say(f"upload: {time.monotonic() - began:.0f} s, gateway killed half-way; peak memory {memory.told()}")
            source.unlink()
            began = time.monotonic()
            job = home.submit("transcodes", {"source": upload, "preset": "mp4-480p"})
            kill_the_worker(home, job)
            done = finished(home, job)
            say(f"job: {done['state']}, {time.monotonic() - began:.0f} s, worker killed in the middle; peak memory {memory.told()}")
            return judge(home, done, int(args.gigabytes * 1e9) // FRAME_BYTES)


def say(text: str) -> None:
    """A line for people."""
    print(text, flush=True)  # noqa: T201 - a command


def make(path: Path, size: int) -> Path:
    """So many bytes of raw 1080p."""
    frames = size // FRAME_BYTES
    picture = [
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size=1920x1080:rate={RATE}",
        "-frames:v",
        str(frames),
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "rawvideo",
    ]
    subprocess.run([str(tools().ffmpeg.path), "-nostdin", "-y", "-v", "error", *picture, str(path)], check=True)
    return path


def send(home: House, source: Path) -> str:
    """Upload it by tus; half-way the gateway is killed, and the upload goes on where the gateway says."""
    size = source.stat().st_size
    named = f"filename {base64.b64encode(b'film.mkv').decode()}"
    made = home.http.post("/v1/uploads", headers={**VERSION, "Upload-Length": str(size), "Upload-Metadata": named}).raise_for_status()
    where, offset, killed = made.headers["location"], 0, False
    with source.open("rb") as film:
        while offset < size:
            film.seek(offset)
            headers = {**VERSION, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            if offset > size // 2 and not killed:
                killed = True
                strike(home, "gateway")
            try:
                offset = int(home.http.patch(where, content=film.read(PIECE), headers=headers).raise_for_status().headers["upload-offset"])
            except httpx.HTTPError:
                offset = resumed(home, where)
    return str(where.rpartition("/")[2])


def resumed(home: House, where: str) -> int:
    """How much the gateway has, once it is up again."""
    found: list[int] = []

    def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            found.append(int(home.http.head(where, headers=VERSION).raise_for_status().headers["upload-offset"]))
        return bool(found)

    wait_until(answers, "the gateway is up again", seconds=120)
    return found[-1]


def kill_the_worker(home: House, job: str) -> None:
    """In the middle of a segment, when two are done."""
    wait_until(lambda: encoded(home, job).total() >= 2 and bool(home.encoders()), "two segments are done", seconds=PATIENCE)
    strike(home, "worker")


def strike(home: House, who: str) -> None:
    """SIGKILL to all of its processes."""
    for process in processes(home, who):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def processes(home: House, who: str) -> list[psutil.Process]:
    """The gateway, or the transcoder's worker with its pool."""
    found = []
    for process in home.alive():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if any(WHO[who] in word for word in line) and "beat" not in line:
                found.append(process)
    return found


def encoded(home: House, job: str) -> Counter[int]:
    """How often each part was encoded, from the worker's log."""
    found: Counter[int] = Counter()
    for log in (home.folder / "logs").glob("*transcoder*"):
        for line in log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                told = json.loads(line)
                if told.get("event") == "segment_encoded" and str(told.get("job", "")).startswith(job):
                    found[told["part"]] += 1
    return found


def finished(home: House, job: str) -> Mapping[str, object]:
    """The job once it is done."""
    wait_until(lambda: bool(home.job(job)["done"]), f"{job} is done", seconds=PATIENCE)
    return home.job(job)


def judge(home: House, done: Mapping[str, object], frames: int) -> int:
    """Whether all is well; 0 is."""
    counts = encoded(home, str(done["id"]))
    result = done["result"]
    made = result["outputs"][0]["frames"] if isinstance(result, dict) else 0
    say(f"frames: {made} of {frames}; segments: {len(counts)}, encoded twice: {sum(count > 1 for count in counts.values())}")
    return 0 if made == frames and set(counts.values()) == {1} else 1


class Memory:
    """Resident memory of the gateway and the worker, looked at twice a second."""

    def __init__(self, home: House) -> None:
        self._home = home
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._peak: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No more."""
        self._over.set()
        self._thread.join()

    def told(self) -> str:
        """The peaks since the last time, in MB."""
        peak, self._peak = self._peak, Counter()
        return ", ".join(f"{who} {size / 1e6:.0f} MB" for who, size in sorted(peak.items()))

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for who in WHO:
                for process in processes(self._home, who):
                    with contextlib.suppress(psutil.Error):
                        self._peak[who] = max(self._peak[who], process.memory_info().rss)
            for process in self._home.encoders():
                with contextlib.suppress(psutil.Error):
                    self._peak["ffmpeg"] = max(self._peak["ffmpeg"], process.memory_info().rss)


if __name__ == "__main__":
    sys.exit(main())
