"""Which hardware encoder works here: each is tried by a real encode, in the sandbox that films are encoded in.

That FFmpeg lists an encoder says nothing: it lists NVENC on a machine without any. A driver may be missing, the device closed to us, the
session limit reached; what the encode said is kept for people.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from services.transcoder import hardware
from services.transcoder.binary import tools
from services.transcoder.failures import relevant
from services.transcoder.hardware import ENCODERS, KINDS, Hardware, Kind
from services.transcoder.process import Limits
from services.transcoder.run import Watch, run
from services.transcoder.settings import TranscoderSettings, settings
from shared.errors import TransientError

CPU_SECONDS = 20
SECONDS = 20.0

Try = Callable[[Kind, str], str | None]
"""Encodes a little by a kind and in a codec; what went wrong, None where nothing did."""

log = structlog.get_logger()


@cache
def found() -> Hardware:
    """This process's machine, looked at once."""
    return look(settings())


def look(given: TranscoderSettings, attempt: Try | None = None) -> Hardware:
    """Try what the settings name, or all of them in turn; the first kind that can encode H.264 is taken, with every codec that it can."""
    if given.hardware == "off":
        return Hardware()
    tried: dict[str, str] = {}
    for kind in KINDS if given.hardware == "auto" else (given.hardware,):
        ask = attempt or encode
        why = ask(kind, "h264")
        if why is None:
            codecs = ("h264", *(codec for codec in ENCODERS if codec != "h264" and ask(kind, codec) is None))
            log.info("hardware_found", kind=kind, codecs=codecs)
            return Hardware(kind, codecs, tried)
        tried[kind] = why
    log.warning("hardware_missing", asked=given.hardware, tried=tried)
    return Hardware(tried=tried)


def encode(kind: Kind, codec: str) -> str | None:
    """Ten frames, for real."""
    given = settings()
    limits = Limits(CPU_SECONDS, given.memory_mb, given.max_output_bytes, given.nice)
    with TemporaryDirectory(prefix="counterfoil-") as folder:
        command = [str(tools().ffmpeg.path), *hardware.trial(kind, codec)]
        try:
            ended = run(command, cwd=Path(folder), limits=limits, watch=Watch(lambda: None, SECONDS, SECONDS))
        except (TransientError, TimeoutError) as late:
            return str(late) or f"it was not done after {SECONDS:g} s"
    if ended.status == 0:
        return None
    return next(iter(relevant(ended.words, 1)), "") or f"it ended with status {ended.status}"
