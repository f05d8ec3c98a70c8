"""The figures of a run, as a table for docs/transcoder.md."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.transcoder.binary import tools
from services.transcoder.sandbox import describe
from tests.hostile.trial import Tally, Verdict

PAGE = Path(__file__).resolve().parents[2] / "docs" / "transcoder.md"
MARKERS = ("<!-- tests.hostile: written by `python -m tests.hostile --write` -->", "<!-- /tests.hostile -->")


def signed(seed: int, jobs: int) -> str:
    """How and where a report came to be."""
    place = f"ffmpeg {tools().ffmpeg.label} · sandbox {describe()['level']} · load {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores"
    return f"`python -m tests.hostile --seed {seed} --jobs {jobs}` · {place} · {datetime.now(UTC):%Y-%m-%d}"


def report(tally: Tally) -> str:
    """Families down, outcomes across, then time and memory."""
    outcomes = Counter(verdict.outcome for verdict in tally.verdicts)
    names = ["accepted", *sorted(name for name in outcomes if name != "accepted")]
    counted = tally.outcomes()
    rows = [["", *names, "all"]]
    for family in dict.fromkeys(verdict.family for verdict in tally.verdicts):
        found = [counted[family, name] for name in names]
        rows.append([family, *(str(count or "–") for count in found), str(sum(found))])
    rows.append(["all", *(str(outcomes[name]) for name in names), str(len(tally.verdicts))])
    table = ["| " + " | ".join(row) + " |" for row in rows]
    table.insert(1, "|---|" + "---:|" * (len(names) + 1))
    ours, theirs = tally.peak >> 20, tally.hungriest >> 20
    seconds = sorted(verdict.seconds for verdict in tally.verdicts) or [0.0]
    slowest = max(tally.verdicts, key=lambda verdict: verdict.seconds, default=None)
    times = (
        f"{time.monotonic() - tally.began:.0f} s in all; an input took {seconds[len(seconds) // 2]:.2f} s in the middle and "
        f"{seconds[-1]:.1f} s at most ({named(slowest)}). Peak memory: {ours} MB in the worker, {theirs} MB in the hungriest FFmpeg."
    )
    return "\n".join([*table, "", times, f"Faults: {len(tally.faulty)}{faults(tally.faulty)}"]) + "\n"


def named(verdict: Verdict | None) -> str:
    """Which input that was."""
    return f"{verdict.family} {verdict.name}" if verdict else "none"


def faults(found: Sequence[Verdict]) -> str:
    """The faulty ones, a line each."""
    return "".join(f"\n- {named(verdict)}: {'; '.join(verdict.faults)}" for verdict in found) or "."
