"""The suite, lane by lane, quickest first: `python -m tests.lanes [LANE…]`; without names those of `make test`.

A lane is a folder. Its tests run in parallel, then those marked `serial`, which measure time: alone, or where they mostly wait (for leases,
for servers that come back) two files at a time. The summary at the end says what each lane did, and
what could not run here and why: a skipped test is not a passed one.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
LANES = ("unit", "contract", "simulation", "integration", "diffusion", "players", "receivers", "conformance", "e2e")
"""Chaos is none: it has no verdicts but figures (`python -m tests.chaos`)."""
ALONE = re.compile(r"^pytestmark = \[?pytest\.mark\.serial\b", re.MULTILINE)
"""How a test file says that all its tests are."""
MARKED = re.compile(r"^(?:@|pytestmark = \[?)pytest\.mark\.serial\b", re.MULTILINE)
"""How a test file says that all or some of its tests are; the word alone is in many, and a run that selects none costs its collection."""
PATIENT = frozenset({"integration", "conformance"})
"""Lanes whose `serial` tests mostly wait. Each file's run in one process, so that it starts its servers once."""
NO_TESTS = 5
"""pytest's exit status where it found nothing to run."""


@dataclass(slots=True)
class Outcome:
    """What a lane did, over its runs."""

    name: str
    failed: bool = False
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    skips: Counter[str] = field(default_factory=Counter)
    """Reason → how many tests were skipped for it."""

    def add(self, report: Path, status: int) -> None:
        """Take in one pytest run: its exit status and its JUnit file."""
        self.failed |= status not in (0, NO_TESTS)
        for case in ET.parse(report).iter("testcase") if report.exists() else ():  # noqa: S314 - pytest wrote it just now
            verdict = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
            self.counts[verdict] += 1
            self.skips.update(reason(child) for child in case if child.tag == "skipped")

    def __str__(self) -> str:
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.counts.items())) or "no tests"
        verdict = "FAILED" if self.failed else "ok" if self.counts["passed"] else "not run"
        return f"{self.name:<12} {verdict:<7} {self.seconds:6.1f} s  {told}"


def reason(skipped: ET.Element) -> str:
    """Why; of a whole file pytest's message says only that its collection was skipped, and the text says why."""
    whole_file = re.search(r"Skipped: (.*?)['\"]?\)?$", (skipped.text or "").strip())
    return whole_file[1] if whole_file else skipped.get("message") or "no reason given"


def runs(folder: Path, jobs: int) -> Iterator[list[str]]:
    """Pytest's arguments for each run of a lane."""
    together = ["-n", str(jobs)] if jobs > 1 else []
    if not any(MARKED.search(test.read_text()) for test in folder.rglob("test_*.py")):
        yield [*together, "--dist", "worksteal"] if together else []  # tests of a moment each: nobody idles at the end
        return
    if not all(ALONE.search(test.read_text()) for test in folder.rglob("test_*.py")):
        yield [*together, "-m", "not serial"]
    two = ["-n", "2", "--dist", "loadfile"] if jobs > 1 and folder.name in PATIENT else []
    yield [*two, "-m", "serial"]


def run_lane(name: str, jobs: int, reports: Path) -> Outcome:
    """Run a lane's tests; pytest's own output goes to the console."""
    outcome, began = Outcome(name), time.monotonic()
    folder = HERE / name
    for number, arguments in enumerate(runs(folder, jobs) if any(folder.rglob("test_*.py")) else ()):
        sys.stdout.write(f"\n--- {name} {' '.join(arguments)}\n")
        sys.stdout.flush()
        report = reports / f"{name}-{number}.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, str(folder)]
        outcome.add(report, subprocess.run(command, cwd=HERE.parent, check=False).returncode)
    outcome.seconds = time.monotonic() - began
    return outcome


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line a lane, then what could not run, by reason."""
    lines = ["", "--- summary", *map(str, outcomes)]
    skips = [f"  {outcome.name}: {count} × {reason}" for outcome in outcomes for reason, count in outcome.skips.most_common()]
    return "\n".join([*lines, *(["Could not run here:", *skips] if skips else [])])


def main() -> int:
    """Run the lanes; 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.lanes", description="Run the tests, lane by lane.")
    parser.add_argument("lanes", nargs="*", choices=[[], *LANES], help="default: all")
    parser.add_argument("--jobs", type=int, default=2, help="tests that run at once, where they may")
    given = parser.parse_args()
    wanted = given.lanes or list(LANES)
    with tempfile.TemporaryDirectory() as reports:
        outcomes = [run_lane(name, given.jobs, Path(reports)) for name in wanted]
    sys.stdout.write(summary(outcomes) + "\n")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
