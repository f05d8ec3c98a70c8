"""Whether this machine is fit for users' files: at the start, the binaries' versions and the sandbox; later, the proof that it holds."""

from pathlib import Path
from tempfile import TemporaryDirectory

from services.transcoder import detect
from services.transcoder.binary import tools
from services.transcoder.process import Limits
from services.transcoder.run import Watch, run
from services.transcoder.sandbox import LEVELS, sandbox
from services.transcoder.settings import settings
from shared.errors import SettingsError

TRIAL = Limits(cpu_seconds=10, memory_mb=4_096, file_bytes=0)
SECONDS = 20.0
REFUSALS = ("Permission denied", "Operation not permitted")


def preflight() -> None:
    """Called before the worker forks. Raises SettingsError for a binary or a sandbox that will not do; hardware that will not is logged."""
    tools()
    sandbox()
    detect.found()


def check_sandbox() -> None:
    """Let ffprobe try to read a file that is none of its business, and to connect. Raises SettingsError where it is let."""
    chosen = sandbox()
    if LEVELS.index(chosen.level) < LEVELS.index(settings().sandbox):
        raise SettingsError(
            f"this machine can only do the level {chosen.level!r}: a hole in FFmpeg would lay open what the worker may read. Run it on "
            f"Linux with Landlock, or set TRANSCODER_SANDBOX={chosen.level} to accept that."
        )
    if chosen.level == "limits":
        return
    with TemporaryDirectory(prefix="counterfoil-") as inside, TemporaryDirectory(prefix="counterfoil-") as outside:
        (canary := Path(outside) / "canary").write_bytes(b"nobody's business")
        for name, tried in {"a file elsewhere": f"file:{canary}", "the network": "tcp://127.0.0.1:9"}.items():
            arguments = [str(tools().ffprobe.path), "-v", "error", tried]
            ended = run(arguments, cwd=Path(inside), limits=TRIAL, watch=Watch(lambda: None, SECONDS, SECONDS))
            said = " ".join(ended.words)
            if not any(refusal in said for refusal in REFUSALS):
                raise SettingsError(f"the sandbox {chosen.level!r} does not hold: ffprobe reached {name} ({said or 'without a word'}).")
