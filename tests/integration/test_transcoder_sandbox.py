"""What a taken-over FFmpeg could do: the sandbox, tried from the inside by a program that means harm."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.transcoder import seccomp
from services.transcoder.failures import explain
from services.transcoder.fitness import check_sandbox
from services.transcoder.process import Limits
from services.transcoder.run import Ended, Watch, run
from services.transcoder.sandbox import LEVELS, Sandbox, choose, strongest
from services.transcoder.settings import SandboxLevel, TranscoderSettings
from shared.errors import SettingsError
from tests.integration.transcoder_media import SAMPLE, do, job_for

LIMITS = Limits(cpu_seconds=20, memory_mb=2_048, file_bytes=10_000_000)
needs_full = pytest.mark.skipif(strongest() != "full", reason="this kernel has no Landlock or no seccomp")
needs_files = pytest.mark.skipif(strongest() == "limits", reason="this kernel has no Landlock")


def inside(script: str, folder: Path, level: SandboxLevel = "full") -> Ended:
    """A Python script in the sandbox; what it prints is kept."""
    within = Sandbox(level, (sys.base_prefix,))
    arguments = [os.path.realpath(sys.executable), "-I", "-S", "-c", script]
    return run(arguments, cwd=folder, limits=LIMITS, watch=Watch(lambda: None, 30.0), keep_stdout=10_000, within=within)


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    """A TCP server that counts on nobody's coming."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server, server.getsockname()[1]


@needs_files
def test_it_reads_its_folder_and_what_is_linked_there(tmp_path: Path) -> None:
    """That is all that its work needs; it may write in the folder, and not to the input."""
    (tmp_path / "elsewhere").mkdir()
    upload = tmp_path / "elsewhere" / "upload"
    upload.write_bytes(b"film")
    work = tmp_path / "work"
    work.mkdir()
    (work / "source").symlink_to(upload)
    script = "import os; print(open('source').read()); os.mkdir('a'); open('a/b', 'w').write('x'); os.rename('a/b', 'c'); os.rmdir('a')\n"
    script += "try: open('source', 'r+b')\nexcept PermissionError: print('kept')"
    ended = inside(script, work, "files")

    assert (ended.status, ended.stdout.split()) == (0, [b"film", b"kept"]), ended.words
    assert upload.read_bytes() == b"film"


@needs_files
@pytest.mark.parametrize(
    "attempt",
    [
        "open('{canary}').read()",
        "open('/etc/passwd').read()",
        "open('/proc/{parent}/environ').read()",
        "os.listdir('{outside}')",
        "open('{outside}/new', 'w')",
        "os.unlink('{canary}')",
        "os.symlink('{canary}', 'link')",
        "os.link('{canary}', 'link')",
        "os.mkfifo('pipe')",
        "os.execv('{canary}', ['x'])",
        "os.truncate('{canary}', 0)",
        "os.rename('{canary}', 'mine')",
    ],
)
def test_nothing_else_is_read_written_or_run(tmp_path: Path, attempt: str) -> None:
    """Another job's files, the system's, the worker's environment with its passwords in it."""
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (canary := outside / "canary").write_bytes(b"secret")
    canary.chmod(0o755)
    said = attempt.format(canary=canary, outside=outside, parent=os.getpid())
    ended = inside(f"import os\ntry: {said}\nexcept OSError as e: print('refused', e.errno)\nelse: print('done')", work, "files")

    assert ended.stdout.startswith(b"refused"), (ended.stdout, ended.words)
    assert [path.name for path in outside.iterdir()] == ["canary"]
    assert canary.read_bytes() == b"secret"


@needs_full
@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', {port}))",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socketpair()",
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], dict())",
        "import os; os.kill({parent}, 0)",
        "import os; os.pidfd_open({parent})",
    ],
)
def test_it_reaches_no_network_and_no_process(tmp_path: Path, attempt: str) -> None:
    """No socket of any family, no child of its own, no signal to the worker."""
    with listening() as (server, port):
        said = attempt.format(port=port, parent=os.getpid())
        ended = inside(f"try: {said}\nexcept OSError as e: print('refused', e.errno)\nelse: print('done')", tmp_path)

        assert ended.stdout.startswith(b"refused"), (ended.stdout, ended.words)
        with pytest.raises(TimeoutError):
            server.accept()


@needs_full
def test_threads_are_no_processes(tmp_path: Path) -> None:
    """Encoders are made of them."""
    ended = inside("import threading; t = threading.Thread(target=print, args=['ran']); t.start(); t.join()", tmp_path)

    assert ended.stdout == b"ran\n"


@pytest.mark.parametrize("level", LEVELS)
def test_a_job_is_done_at_every_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: SandboxLevel) -> None:
    """FFmpeg, ffprobe and the packager need nothing that is refused."""
    if LEVELS.index(level) > LEVELS.index(strongest()):
        pytest.skip("this kernel cannot do that level")
    monkeypatch.setattr("services.transcoder.run.sandbox", lambda: Sandbox(level))
    job = job_for(SAMPLE, tmp_path)
    do(job, preset="hls", clip={"duration": 0.5})

    assert "hls/master.m3u8" in job.artifacts


def test_a_sandbox_that_is_weaker_than_demanded_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service does not start, and says what it takes."""
    monkeypatch.setattr("services.transcoder.sandbox.landlock.version", lambda: 0)

    assert choose(TranscoderSettings()).level == "limits"
    with pytest.raises(SettingsError, match="Landlock switched on is needed"):
        choose(TranscoderSettings(sandbox_demanded="files"))
    with pytest.raises(SettingsError, match="more than TRANSCODER_SANDBOX allows"):
        TranscoderSettings(sandbox="limits", sandbox_demanded="full")


@needs_files
def test_where_it_cannot_be_put_up_nothing_starts(tmp_path: Path) -> None:
    """Fail closed, and try again: that is the machine's trouble. Here a path that it is to open cannot be."""
    within = Sandbox(strongest(), ("/etc/passwd/x",))
    ended = run(["/bin/mkdir", "made"], cwd=tmp_path, limits=LIMITS, watch=Watch(lambda: None, 5.0), within=within)
    error = explain("mkdir", ended, LIMITS)

    assert list(tmp_path.iterdir()) == []
    assert (error.type, error.retryable) == ("sandbox-failed", True)


@needs_files
def test_the_doctor_tries_it() -> None:
    """And finds nothing to say; see the next test for the contrary."""
    check_sandbox()


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weak sandbox is a finding until somebody accepts it by a setting; one with a hole is one whatever is set."""
    monkeypatch.setattr("services.transcoder.fitness.sandbox", lambda: Sandbox("limits"))
    with pytest.raises(SettingsError, match="TRANSCODER_SANDBOX=limits to accept that"):
        check_sandbox()
    monkeypatch.setattr("services.transcoder.fitness.sandbox", lambda: Sandbox(strongest()))
    monkeypatch.setattr("services.transcoder.run.sandbox", lambda: Sandbox("limits"))
    with pytest.raises(SettingsError, match="does not hold: ffprobe reached a file elsewhere"):
        check_sandbox()


def test_the_filter_is_a_program_that_the_kernel_takes() -> None:
    """Every instruction is eight bytes, and there are no more of them than one filter may have."""
    for machine in ("x86_64", "aarch64"):
        code = seccomp.program(machine)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4_096  # BPF_MAXINSNS
