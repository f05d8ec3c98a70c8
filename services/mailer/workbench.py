"""The process in which markup of users is worked on: `done_apart` starts it, with limits, once per mailing that needs it.

MRML and css-inline are compiled programs that recurse and multiply: a style sheet of two thousand `div *` rules on twenty thousand
elements took all memory, and nesting ended the process. Here that ends this process, and the mailing hears why.
"""

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from services.mailer.marks import MarkupError
from services.mailer.responsive import from_mjml
from services.mailer.styling import inlined

CPU_SECONDS = 10
"""A long newsletter takes 5 ms."""
WALL_SECONDS = 60.0
MEMORY = 1 << 30
TOO_MUCH = 3
"""The exit status that says so, where it was not a signal."""
LARGEST = 5_000_000
"""Characters of the result, as of a rendered mail."""
STEPS: Mapping[str, Callable[[str], str]] = {"mjml": from_mjml, "css": inlined}
ROOT = Path(__file__).resolve().parents[2]


def done_apart(step: str, source: str, *, cpu_seconds: int = CPU_SECONDS) -> str:
    """The result of one of `STEPS`. Raises `MarkupError` with what is wrong, or that it was too much."""
    command = [sys.executable, "-m", "services.mailer.workbench", step, str(cpu_seconds)]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=False, cwd=ROOT, env={}, timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise MarkupError(f"it takes more than {WALL_SECONDS:.0f} s to work on") from error
    if done.returncode > 0 and done.returncode != TOO_MUCH:
        raise RuntimeError(f"the workbench broke: {done.stderr.decode(errors='replace')[-500:]}")
    if done.returncode:
        raise MarkupError(f"it takes more than {cpu_seconds} s or {MEMORY >> 30} GiB to work on; is it so large, or so deeply nested?")
    word, _, text = done.stdout.decode().partition("\n")
    if word == "refused":
        raise MarkupError(text)
    if len(text) > LARGEST:
        raise MarkupError(f"it becomes longer than {LARGEST:,} characters")
    return text


def main() -> None:
    """Work on what stands on standard input: `done` and the result, or `refused` and why."""
    seconds = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source = sys.stdin.buffer.read().decode()
    try:
        answer = f"done\n{STEPS[sys.argv[1]](source)}"
    except MarkupError as error:
        answer = f"refused\n{error}"
    except MemoryError:
        sys.exit(TOO_MUCH)
    sys.stdout.buffer.write(answer.encode())


if __name__ == "__main__":
    main()
