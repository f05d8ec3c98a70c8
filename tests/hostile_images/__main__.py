"""`python -m tests.hostile_images --count 10000`: no crash, no hang, memory bounded; each image drawn or clearly refused."""

import argparse
import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field

BATCH = 500
"""Images a process, as `max_tasks_per_child` has it."""
LONGEST = 60.0
"""Seconds that one image may take, on a machine as busy as it may be."""
STARTING = 300.0
"""Seconds until a process has loaded everything, likewise."""
MOST_MB = 900
"""Memory that a process may come to; it rests near 300 MB with every model loaded."""


@dataclass
class Verdict:
    """What became of the images."""

    fates: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    megabytes: int = 0

    def take(self, number: int, fate: str, seconds: float, megabytes: int) -> None:
        """Count one image."""
        self.fates[fate.partition(":")[0]] += 1
        self.slowest = max(self.slowest, (seconds, number))
        self.megabytes = max(self.megabytes, megabytes)
        if fate.startswith("finding"):
            self.findings.append(f"image {number}: {fate}")


def feed(first: int, last: int, verdict: Verdict) -> None:
    """Give a fresh process the images from `first`; where it dies or hangs, say so and go on behind that image."""
    while first < last:
        command = [sys.executable, "-m", "tests.hostile_images.eating", str(first), str(min(first + BATCH, last))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            at, done = first, first
            for line in _lines(process):
                if line.startswith("["):
                    number, fate, seconds, megabytes = json.loads(line)
                    verdict.take(number, fate, seconds, megabytes)
                    done = number + 1
                else:
                    at = int(line)
        if process.returncode > 0:  # not killed: the eater itself is broken
            raise SystemExit(f"python -m tests.hostile_images.eating {at} {at + 1} ends with {process.returncode}: run it to see why")
        if process.returncode and at >= done:
            verdict.findings.append(f"image {at}: the process ended with {process.returncode}")
            verdict.fates["finding"] += 1
            done = at + 1
        elif process.returncode:
            verdict.findings.append(f"between images, before {done}: the process ended with {process.returncode}")
            return
        first = done


def _lines(process: "subprocess.Popen[str]") -> list[str]:
    """The process's lines; it is killed where the next does not come in time."""
    assert process.stdout is not None
    lines: list[str] = []
    while True:
        alarm = threading.Timer(LONGEST if lines else STARTING, process.kill)
        alarm.start()
        line = process.stdout.readline()
        alarm.cancel()
        if not line:
            return lines
        lines.append(line.strip())


def main() -> int:
    """Feed all, print the verdict; 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile_images", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many images (default 10000)")
    parser.add_argument("--first", type=int, default=0, help="the first one's number")
    asked = parser.parse_args()
    verdict = Verdict()
    feed(asked.first, asked.first + asked.count, verdict)
    if verdict.megabytes > MOST_MB:
        verdict.findings.append(f"a process came to {verdict.megabytes} MB; the limit is {MOST_MB}")
    fates = ", ".join(f"{count:,} {fate}" for fate, count in verdict.fates.most_common())
    sys.stdout.write(f"{asked.count:,} images: {fates}; slowest {verdict.slowest[0]} s (image {verdict.slowest[1]}); ")
    sys.stdout.write(f"at most {verdict.megabytes} MB a process; {len(verdict.findings)} findings\n")
    for finding in verdict.findings:
        sys.stdout.write(f"  {finding}\n")
    return 1 if verdict.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
