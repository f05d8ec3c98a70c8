"""Programs are watched, stopped and never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services.transcoder.binary import tools
from services.transcoder.process import Limits
from services.transcoder.progress import Snapshot
from services.transcoder.run import Watch, run
from services.transcoder.sandbox import Sandbox, strongest
from services.transcoder.settings import TranscoderSettings
from shared.errors import JobCanceled, JobError, PermanentError, TransientError
from tests.integration.transcoder_media import SAMPLE, do, job_for
from tests.integration.transcoder_worker import ENDLESS, LIMITS


@pytest.fixture(autouse=True)
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that other tests of this session share are not this test's doing."""
    monkeypatch.setitem(globals(), "EARLIER", frozenset(psutil.Process().children(recursive=True)))


PYTHON = Sandbox(strongest(), (sys.base_prefix, sys.prefix))
"""The sandbox, with Python in it."""
EARLIER: frozenset[psutil.Process] = frozenset()


def children() -> list[psutil.Process]:
    """Every process below this one that was not there before the test."""
    return [process for process in psutil.Process().children(recursive=True) if process not in EARLIER]


def gone(pid: int, *, within: float = 5.0) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return True
    return False


def endless(tmp_path: Path, checkpoint: Callable[[], None], on_progress: Callable[[Snapshot], None], *, stall: float = 60.0) -> None:
    """An FFmpeg that would run for ever."""
    watch = Watch(checkpoint, stall_seconds=stall, on_progress=on_progress)
    run([str(tools().ffmpeg.path), *ENDLESS], cwd=tmp_path, limits=LIMITS, watch=watch)


def test_a_cancel_ends_ffmpeg_within_two_seconds_and_leaves_nothing(tmp_path: Path) -> None:
    """No process and no temporary file."""
    job = job_for(SAMPLE, tmp_path)
    canceled_at = 0.0

    def cancel() -> None:
        nonlocal canceled_at
        if any(step == "encode" for _, step, *_ in job.told):
            canceled_at = canceled_at or time.monotonic()
            raise JobCanceled

    job.on_checkpoint = cancel
    with pytest.raises(JobCanceled):
        do(job, presets=["mp4-720p", "hls"])
    took = time.monotonic() - canceled_at

    assert took < 2.0
    assert children() == []
    assert list(job.workdir.iterdir()) == []
    assert set(job.artifacts) <= {"plan.json", "poster.jpg"}


def test_any_exception_ends_ffmpeg(tmp_path: Path) -> None:
    """A soft time limit is raised wherever the code happens to be."""

    class SoftTimeLimitExceeded(Exception):  # noqa: N818 - as billiard calls its own
        """As Celery raises."""

    def bang(_: Snapshot) -> None:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        endless(tmp_path, lambda: None, bang)

    assert children() == []


def test_ffmpeg_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL gives the worker no chance to tidy up: the kernel does it (PR_SET_PDEATHSIG)."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.integration.transcoder_worker", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as worker:
        assert worker.stdout is not None
        pids = [int(pid) for pid in worker.stdout.readline().split()]
        alive = [psutil.pid_exists(pid) for pid in pids]
        worker.kill()

    assert alive == [True]
    assert all(gone(pid) for pid in pids)


def test_a_hung_ffmpeg_is_killed_and_the_job_tried_again(tmp_path: Path) -> None:
    """Stopped, it makes no progress, and SIGTERM does not reach it."""

    def stop(at: Snapshot) -> None:
        if at.frame:
            for child in children():
                child.suspend()

    with pytest.raises(TransientError, match="no progress for 1 s") as caught:
        endless(tmp_path, lambda: None, stop, stall=1.0)

    assert caught.value.type == "encoder-hung"
    assert children() == []


def test_endless_stderr_takes_no_memory(tmp_path: Path) -> None:
    """200 MB of complaints leave a few lines."""
    script = "for i in range(200): import sys; sys.stderr.write('x' * 1_000_000 + chr(10))"
    before = psutil.Process().memory_info().rss
    limits = Limits(cpu_seconds=60, memory_mb=1_024, file_bytes=1)
    ended = run([sys.executable, "-c", script], cwd=tmp_path, limits=limits, watch=Watch(lambda: None, 60.0), within=PYTHON)

    assert (ended.status, len(ended.words)) == (0, 80)
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_limits_and_environment_reach_the_program(tmp_path: Path) -> None:
    """CPU, memory, file size, open files and niceness; no variable of ours (it may hold a password) and no open file."""
    script = "import os, resource as r; print([r.getrlimit(n)[0] for n in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_FSIZE, r.RLIMIT_CORE)],"
    script += " os.nice(0) - BASE, sorted(os.environ), [fd for fd in range(256) if not opened(fd)])"
    script = "import os\ndef opened(fd):\n  try: os.fstat(fd)\n  except OSError: return 'no'\n" + script.replace("BASE", str(os.nice(0)))
    limits = Limits(cpu_seconds=60, memory_mb=1_024, file_bytes=77, nice=3)
    secret = (tmp_path / "secret").open("wb")
    os.set_inheritable(secret.fileno(), True)
    with secret:
        watch = Watch(lambda: None, 60.0)
        ended = run([sys.executable, "-c", script], cwd=tmp_path, limits=limits, watch=watch, keep_stdout=1_000, within=PYTHON)
    said = ended.stdout.decode().strip()

    assert said == f"[60, {2**30}, 77, 0] 3 ['HOME', 'LC_ALL', 'TMPDIR'] [0, 1, 2]"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_signal_is_ignored_that_python_ignores(tmp_path: Path) -> None:
    """A program that writes to nobody, or too much, ends; and one that a worker's child starts can be interrupted."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        told = run(
            ["/bin/grep", "SigIgn", "/proc/self/status"],
            cwd=tmp_path,
            limits=LIMITS,
            watch=Watch(lambda: None, 60.0),
            keep_stdout=1_000,
            within=Sandbox("limits"),
        )
    finally:
        signal.signal(signal.SIGINT, before)

    ignored = int(told.stdout.split()[1], 16)
    assert [one for one in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM) if ignored >> (one - 1) & 1] == []


def test_a_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """The wall clock of a probe: it may neither burn CPU nor stall, and yet not end."""
    with pytest.raises(TimeoutError):
        run(
            [str(tools().ffmpeg.path), *ENDLESS],
            cwd=tmp_path,
            limits=LIMITS,
            watch=Watch(lambda: None, stall_seconds=60.0, wall_seconds=1.0),
        )

    assert children() == []


def test_a_killed_ffmpeg_says_by_what(tmp_path: Path) -> None:
    """The exit status is the signal, for the failure's words."""

    def kill(at: Snapshot) -> None:
        if at.frame:
            for child in children():
                child.kill()

    watch = Watch(lambda: None, stall_seconds=60.0, on_progress=kill)
    ended = run([str(tools().ffmpeg.path), *ENDLESS], cwd=tmp_path, limits=LIMITS, watch=watch)

    assert ended.status == -signal.SIGKILL
    assert not ended.last.finished


@pytest.mark.parametrize(("changes", "kind"), [({"max_work_bytes": 1_000_000}, PermanentError), ({"spare_bytes": 1 << 60}, TransientError)])
def test_a_folder_that_grows_and_a_disk_that_fills_stop_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], kind: type[JobError]
) -> None:
    """Looked at while it runs; it is dead before the error is out."""
    monkeypatch.setattr("services.transcoder.run.LOOK_EVERY", 0.0)
    monkeypatch.setattr("services.transcoder.run.settings", lambda: TranscoderSettings().model_copy(update=changes))
    arguments = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=1280x720", "-c:v", "rawvideo", "-f", "nut", "grows"]
    with pytest.raises(kind, match="disk"):
        run([str(tools().ffmpeg.path), *arguments], cwd=tmp_path, limits=LIMITS, watch=Watch(lambda: None, stall_seconds=60.0))

    assert children() == []
