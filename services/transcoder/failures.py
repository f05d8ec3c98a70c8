"""What a failed FFmpeg means, in plain words, and whether trying again can help."""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.transcoder.process import Limits
from services.transcoder.run import Ended
from shared.errors import JobError, PermanentError, TransientError

TOO_MANY_ERRORS = 69
"""FFmpeg's exit status where more frames than `-max_error_rate` could not be decoded."""
QUOTED = 3
OUT_OF_MEMORY = "out-of-memory"
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
NOISE = re.compile(
    r"Conversion failed|Error opening (input|output) files|Last message repeated|deprecated pixel format|Task finished with error code"
)
PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")
PATHS = re.compile(r"(?:file:)?(?:/[^\s/:'\"]+)+/([^\s/:'\"]+)")


@dataclass(frozen=True, slots=True)
class Meaning:
    """One known message: what it looks like, what to tell the user, and whether it will pass."""

    pattern: re.Pattern[str]
    words: str
    type: str
    permanent: bool = True


def _known(pattern: str, words: str, type: str, *, permanent: bool = True) -> Meaning:  # noqa: A002 - RFC 9457's word
    return Meaning(re.compile(pattern, re.IGNORECASE), words, type, permanent)


MEANINGS: tuple[Meaning, ...] = (
    # The machine's troubles first: on a full disk FFmpeg complains of much else as well.
    _known(r"^(the sandbox cannot be put up|cannot start)", "the program could not be started", "sandbox-failed", permanent=False),
    _known(r"No space left on device", "the worker's disk is full", "disk-full", permanent=False),
    _known(r"Cannot allocate memory|out of memory|std::bad_alloc", "the worker ran out of memory", OUT_OF_MEMORY, permanent=False),
    _known(r"Too many open files|Resource temporarily unavailable", "the worker ran out of a resource", "worker-busy", permanent=False),
    _known(r"Input/output error", "a file could not be read or written", "io-error", permanent=False),
    _known(r"not on whitelist", "this kind of file is not accepted", "unsupported-media"),
    _known(r"moov atom not found", "the file is incomplete: its index is missing, so the upload or recording was cut off", "invalid-media"),
    _known(
        r"No decoder|Decoder .* not found|Unknown decoder|could not find codec parameters",
        "a codec in it cannot be decoded",
        "unsupported-media",
    ),
    _known(r"File too large", "an output grew larger than allowed", "too-large"),
    _known(
        r"Picture size .* is invalid|exceeds (specified max pixel count|.*max_pixels)", "its frames are larger than allowed", "too-large"
    ),
    _known(r"Invalid data found when processing input", "it is not a media file, or it is damaged", "invalid-media"),
    _known(r"partial file|Packet corrupt|Error while decoding|corrupt decoded frame", "it is damaged or cut off", "invalid-media"),
    _known(r"End of file", "it ends before it has begun: it is damaged or cut off", "invalid-media"),
    _known(r"does not contain any stream|matches no streams", "it has no picture or sound to work with", "invalid-media"),
)


def relevant(lines: Sequence[str], count: int = QUOTED) -> list[str]:
    """The lines that say something: errors before warnings, each once, without addresses in memory and without folders."""
    worded = [line for line in lines if not NOISE.search(line)]
    errors = [line for line in worded if "[error]" in line or "[fatal]" in line] or worded
    cleaned = (PATHS.sub(r"\1", PREFIX.sub("", line)).strip() for line in errors)
    return list(dict.fromkeys(line for line in cleaned if line))[:count]


def quoted(lines: Sequence[str]) -> str:
    """The relevant lines as the end of a sentence; "" where there are none."""
    said = relevant(lines)
    return f" (it said: {' | '.join(said)})" if said else ""


def explain(program: str, ended: Ended, limits: Limits) -> JobError:
    """The error for a program that did not exit with 0: what it means, what the program said, and whether to try again."""
    said, lines = quoted(ended.words), relevant(ended.words)
    if ended.cpu >= limits.cpu_seconds:  # whichever way it died: FFmpeg catches SIGXCPU and exits with 255
        why = f"{program} was stopped after {ended.cpu:.0f} s of CPU time: the source costs more than it is allowed"
        return PermanentError(why, type="too-expensive", pointer="/source", said=lines)
    if ended.status < 0:
        return _killed(program, -ended.status, ended.words)
    if ended.status == TOO_MANY_ERRORS:
        why = f"the source is damaged: too many frames could not be decoded{said}"
        return PermanentError(why, type="invalid-media", pointer="/source", said=lines)
    for meaning in MEANINGS:
        if any(meaning.pattern.search(line) for line in ended.words):
            return _meant(meaning, program, limits, said, lines)
    pointer = "/source" if program == "ffprobe" else None  # it has nothing else to complain of
    return PermanentError(f"{program} gave up with status {ended.status}{said}", type="encoder-failed", pointer=pointer, said=lines)


def _meant(meaning: Meaning, program: str, limits: Limits, said: str, lines: Sequence[str]) -> JobError:
    words, type_, permanent = meaning.words, meaning.type, meaning.permanent
    if type_ == OUT_OF_MEMORY and not _strictly_counted():
        words, type_, permanent = f"it takes more memory than the {limits.memory_mb} MB that {program} is allowed", "too-large", True
    if permanent:
        return PermanentError(f"the source cannot be used: {words}{said}", type=type_, pointer="/source", said=lines)
    return TransientError(f"{words}{said}", type=type_, said=lines)


def _strictly_counted() -> bool:
    """Whether this kernel refuses memory when it has promised too much of it to all (proc(5): vm.overcommit_memory, mode 2).

    Anywhere else what a program is refused is its own limit, or an absurd amount at once: the same source meets it again. A machine that
    really runs out of memory kills instead.
    """
    try:
        return OVERCOMMIT.read_text(encoding="ascii").strip() == "2"
    except OSError:  # not Linux
        return True


def _killed(program: str, number: int, words: Sequence[str]) -> JobError:
    """SIGXFSZ is our own limit: the same source would meet it again. Any other signal is taken for an accident."""
    if number == signal.SIGXFSZ:
        return PermanentError(f"{program} was stopped: an output grew larger than allowed", type="too-large", pointer="/source")
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    return TransientError(f"{program} was killed by {name}{quoted(words)}", type="encoder-killed", said=relevant(words))
