"""The nightly sweep removes what killed workers left, and nothing that a live one writes."""

import os
import shutil
import time
from pathlib import Path
from typing import cast

import pytest

from shared.contracts.upkeep import SweepResult
from shared.errors import JobCanceled
from shared.job import Job
from shared.runtime import upkeep

HOUR = 3_600.0


class SweepJob:
    """As much of a job as a sweep needs."""

    def __init__(self, *, canceled: bool = False) -> None:
        self.canceled = canceled
        self.told: list[float] = []

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Remember the fraction."""
        del step, detail, eta_seconds
        self.told.append(fraction)

    def checkpoint(self) -> None:
        """Stop where the test says so."""
        if self.canceled:
            raise JobCanceled


def attempt(folder: Path, name: str, *, hours: float, content: str = "x" * 1_000) -> Path:
    """An attempt's folder with a nested file, both last touched so long ago."""
    path = folder / name / "deep" / "segment.ts"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    age(folder / name, hours)
    return folder / name


def age(top: Path, hours: float) -> None:
    """Everything in `top` was last touched so long ago."""
    when = time.time() - hours * HOUR
    for path in [*top.rglob("*"), top]:
        os.utime(path, (when, when), follow_symlinks=False)


def sweep(folder: Path, hours: float = 24.0, job: SweepJob | None = None) -> SweepResult:
    """Sweep what is older than so many hours."""
    return upkeep.sweep_folder(folder, hours * HOUR, cast("Job", job or SweepJob()))


def test_old_folder_is_removed_and_fresh_kept(tmp_path: Path) -> None:
    """The count and the bytes are those of what went."""
    old, fresh = attempt(tmp_path, "avatar_1-1", hours=25), attempt(tmp_path, "avatar_2-1", hours=23)

    assert SweepResult(removed=1, bytes=1_000) == sweep(tmp_path)
    assert not old.exists()
    assert (fresh / "deep" / "segment.ts").exists()


def test_folder_that_is_written_to_is_kept(tmp_path: Path) -> None:
    """A long job's folder is old, but the file deep in it that it writes is not."""
    long_job = attempt(tmp_path, "transcoder_1-1", hours=48)
    (long_job / "deep" / "segment.ts").write_text("more")

    assert sweep(tmp_path) == SweepResult(removed=0, bytes=0)
    assert long_job.exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in an attempt's folder leads to what is not ours to remove or to count."""
    elsewhere = tmp_path / "elsewhere" / "kept"
    elsewhere.parent.mkdir()
    elsewhere.write_text("x" * 5_000)
    work = tmp_path / "work"
    old = attempt(work, "avatar_1-1", hours=25)
    (old / "deep" / "link").symlink_to(elsewhere)
    (work / "top-link").symlink_to(elsewhere.parent)
    age(old, 25)
    os.utime(work / "top-link", (0, 0), follow_symlinks=False)

    assert SweepResult(removed=2, bytes=1_000) == sweep(work)
    assert [] == list(work.iterdir())
    assert elsewhere.read_text() == "x" * 5_000


def test_stray_file_is_removed_too(tmp_path: Path) -> None:
    """Not only folders are left behind."""
    stray = tmp_path / "stray.tmp"
    stray.write_text("x" * 10)
    age(stray, 25)

    assert SweepResult(removed=1, bytes=10) == sweep(tmp_path)
    assert not stray.exists()


def test_attempt_that_ends_meanwhile_is_no_error(tmp_path: Path) -> None:
    """A live worker removes its own folder while the sweep looks at it; the others are swept all the same."""
    ending, old = attempt(tmp_path, "avatar_1-1", hours=25), attempt(tmp_path, "avatar_2-1", hours=25)

    class Racing(SweepJob):
        def checkpoint(self) -> None:
            shutil.rmtree(ending, ignore_errors=True)

    assert SweepResult(removed=1, bytes=1_000) == sweep(tmp_path, job=Racing())
    assert not old.exists()


def test_folder_that_resists_is_left_and_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be removed is not said to be; the sweep goes on."""
    attempt(tmp_path, "avatar_1-1", hours=25)
    stray = tmp_path / "stray.tmp"
    stray.write_text("x" * 10)
    age(stray, 25)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "not yours", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)

    assert SweepResult(removed=1, bytes=10) == sweep(tmp_path)


def test_nothing_to_sweep(tmp_path: Path) -> None:
    """A service that never ran has no folder, and that is fine."""
    assert sweep(tmp_path / "never") == SweepResult(removed=0, bytes=0)


def test_sweep_can_be_cancelled(tmp_path: Path) -> None:
    """It looks for a cancel before each folder."""
    old = attempt(tmp_path, "avatar_1-1", hours=25)

    with pytest.raises(JobCanceled):
        sweep(tmp_path, job=SweepJob(canceled=True))

    assert old.exists()
