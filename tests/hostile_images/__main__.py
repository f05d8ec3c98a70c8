"""`python -m tests.hostile_images --count 10000`: no crash, no hang, memory bounded; each image drawn or clearly refused."""

import argparse
import sys

from tests.hostile_images.feeding import Verdict, feed

MOST_MB = 900
"""Memory that a process may come to; it rests near 300 MB with every model loaded."""


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
    if (judged := verdict.fates.total()) != asked.count:
        verdict.findings.append(f"{judged:,} of {asked.count:,} images were judged")
    fates = ", ".join(f"{count:,} {fate}" for fate, count in verdict.fates.most_common())
    sys.stdout.write(f"{asked.count:,} images: {fates}; slowest {verdict.slowest[0]} s (image {verdict.slowest[1]}); ")
    sys.stdout.write(f"at most {verdict.megabytes} MB a process; {len(verdict.findings)} findings, {len(verdict.alarms)} false alarms\n")
    for line in (*verdict.findings, *(f"(false alarm) {alarm}" for alarm in verdict.alarms)):
        sys.stdout.write(f"  {line}\n")
    return 1 if verdict.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
