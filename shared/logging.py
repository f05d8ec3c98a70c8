"""One line of JSON per event, with the trace's ids, for our own loggers and for everything that uses the standard library's.

Name events in the past tense and constant (`job_claimed`), and give the rest as keywords. On a terminal, or with
COUNTERFOIL_LOG_FORMAT=console, lines are made for people instead. Secrets and mail addresses are masked by `shared.redaction`.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import UnsupportedOperation
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.recording import current_ids
from shared.redaction import redactor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_OWN_HANDLERS = ("celery", "celery.task", "celery.redirected", "uvicorn", "uvicorn.access", "uvicorn.error")
"""Loggers that their libraries give handlers of their own; here everything goes through the root's."""
_CHATTY = (
    *("amqp", "asyncio", "botocore", "kombu", "PIL", "pyvips", "requests", "urllib3"),
    # What these say below warning, our own lines say better: a message came, a job ended, a request was served, a schedule ticked.
    *("celery.app.trace", "celery.apps.worker", "celery.beat", "celery.worker.consumer.connection", "celery.worker.strategy"),
    "uvicorn.access",
)
"""They say too much below warning."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
_FIRST = ("timestamp", "level", "event", "service")


def configure(service: str, level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (standard error) as `service`, from `level` on.

    Call it as often as you like, the last call counts. It holds no lock and no thread, so it survives a fork. Celery must not
    undo it: connect `configure` to its `setup_logging` signal and set `worker_redirect_stdouts` to False; give uvicorn `log_config=None`.

    Raises:
        ValueError: `level` is none of debug, info, warning, error.
    """
    least = LEVELS.get(level.lower())
    if least is None:
        raise ValueError(f"COUNTERFOIL_LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}.")
    out = _Out(stream or sys.stderr)
    chain = _chain(service, out, debug=least <= logging.DEBUG)
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: out,
        cache_logger_on_first_use=False,  # loggers made before the last `configure` follow it
    )
    _route_stdlib(_Bridge(chain, out), least)


def bind(**values: Any) -> AbstractContextManager[None]:
    """Put `values` (job=…, service=…, attempt=…) on every line of the `with` body, whoever logs it."""
    return structlog.contextvars.bound_contextvars(**values)


def clear() -> None:
    """Forget everything bound, for the start of a job or a request."""
    structlog.contextvars.clear_contextvars()


class _Out:
    """Writes lines. To a real file by one `os.write` each: a lock held by another thread at a fork would hang the child."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty()
        self.for_people = os.environ.get("COUNTERFOIL_LOG_FORMAT", "console" if self.is_terminal else "json") == "console"
        try:
            self._fd = stream.fileno()
        except (UnsupportedOperation, AttributeError):
            self._fd = -1

    def line(self, text: str) -> None:
        """Write `text` and a newline; a reader that went away must not fail a job, so its absence is not reported."""
        if self._fd < 0:
            self._stream.write(text + "\n")
            return
        left = (text + "\n").encode(errors="backslashreplace")
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            return

    debug = info = warning = warn = error = critical = fatal = exception = msg = log = line


class _Bridge(logging.Handler):
    """Takes the standard library's records through the same chain."""

    def __init__(self, chain: Sequence[Processor], out: _Out) -> None:
        super().__init__()
        self._chain = chain
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; what fails here is reported by `logging` itself and never reaches the caller."""
        try:
            event: Any = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            for process in self._chain:
                event = process(None, record.levelname.lower(), event)
            self._out.line(event)
        except Exception:  # noqa: BLE001 - the contract of logging.Handler.emit
            self.handleError(record)


def _chain(service: str, out: _Out, *, debug: bool) -> list[Processor]:
    def with_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        ids = current_ids()
        if ids:
            event["trace_id"], event["span_id"] = ids
        return event

    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_ids,
        structlog.processors.format_exc_info,
        redactor(addresses=not debug),
    ]
    if out.for_people:
        chain.append(structlog.dev.ConsoleRenderer(colors=out.is_terminal, exception_formatter=structlog.dev.plain_traceback))
    else:
        chain.append(_json)
    return chain


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    ordered = {name: event.pop(name) for name in _FIRST if name in event}
    return _encode({**ordered, **event})


def _route_stdlib(bridge: _Bridge, least: int) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old, _Bridge) or type(old) is logging.StreamHandler:
            root.removeHandler(old)
    root.addHandler(bridge)
    root.setLevel(least)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.captureWarnings(True)
