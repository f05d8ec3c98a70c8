"""The local span file: what stands in for a collector where there is none.

Each process appends its spans as JSON lines to `<home>/traces/<service>-<pid>.jsonl`, one `os.write` with O_APPEND per batch, so
that a reader never sees half a line but at the very end, and a SIGKILL costs no more than the batch under way. `read_trace` in
`shared.traces` reads them back.
"""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pydantic_core import PydanticSerializationError, to_json

FILE_BYTES = 16 * 1024 * 1024
"""A process's file is set aside as `.1` above this; with that one it holds at most twice as much."""
TOTAL_BYTES = 256 * 1024 * 1024
"""All files of a home together; beyond it the oldest go, dead processes' first."""
MAX_FILES = 500
"""Recycled pool children leave a small file each; more than these are not kept."""
SUFFIXES = (".jsonl", ".jsonl.1")


class SpanFile(SpanExporter):
    """Appends spans to this process's file. Made after the fork; used by one export thread."""

    def __init__(self, folder: Path, service: str, *, file_bytes: int = FILE_BYTES, total_bytes: int = TOTAL_BYTES) -> None:
        """Nothing is created until the first span; raises nothing."""
        self._path = folder / f"{service}-{os.getpid()}.jsonl"
        self._service = service
        self._pid = os.getpid()
        self._file_bytes = file_bytes
        self._total_bytes = total_bytes
        self._fd = -1
        self._size = 0
        self._torn = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append the batch; a full disk costs the batch and a log line, never the job."""
        lines = b"".join(_line(span, self._service, self._pid) for span in spans)
        try:
            self._write(lines)
        except OSError as exc:
            self.shutdown()
            structlog.get_logger().warning("spans_not_written", file=str(self._path), spans=len(spans), error=str(exc))
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file; a later export opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """True: nothing is held back here."""
        del timeout_millis
        return True

    def _write(self, lines: bytes) -> None:
        if self._fd >= 0 and self._size and self._size + len(lines) > self._file_bytes:
            self.shutdown()
            self._path.replace(self._path.with_suffix(".jsonl.1"))
        if self._fd < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            prune(self._path.parent, total_bytes=self._total_bytes)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._fd).st_size
        if self._torn:
            lines = b"\n" + lines  # ends the half line that a full disk left; readers skip it
        self._torn = True
        written = os.write(self._fd, lines)
        self._size += written
        if written < len(lines):
            raise OSError(errno.ENOSPC, "only a part was written")
        self._torn = False


def prune(folder: Path, *, total_bytes: int = TOTAL_BYTES) -> list[Path]:
    """Delete the oldest span files until those left hold at most `total_bytes` in `MAX_FILES`; answers what it deleted.

    Files that a living process writes to go last. Several processes may prune at once.
    """
    found: list[tuple[bool, float, int, Path]] = []
    for path in span_files(folder):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # another process pruned it meanwhile
        found.append((_is_live(path), stat.st_mtime, stat.st_size, path))
    total = sum(size for _, _, size, _ in found)
    deleted = []
    for left, (_, _, size, path) in zip(range(len(found), 0, -1), sorted(found, key=lambda entry: entry[:2]), strict=True):
        if total <= total_bytes and left <= MAX_FILES:
            break
        path.unlink(missing_ok=True)
        deleted.append(path)
        total -= size
    return deleted


def span_files(folder: Path) -> list[Path]:
    """The span files of a `traces` folder; [] where there is none."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name.endswith(SUFFIXES)]


def _is_live(path: Path) -> bool:
    """True where the file's process still runs, as far as its pid tells, and writes to this one (not set it aside)."""
    pid = path.name.removesuffix(".jsonl").rpartition("-")[2]
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _line(span: ReadableSpan, service: str, pid: int) -> bytes:
    """One span as a compact JSON line; the keys are those of `shared.traces.LocalSpan`, empty ones left out."""
    context = span.get_span_context()
    if context is None:
        return b""
    start = span.start_time or 0
    body: dict[str, Any] = {
        "trace": f"{context.trace_id:032x}",
        "span": f"{context.span_id:016x}",
        "name": span.name,
        "service": service,
        "pid": pid,
        "kind": span.kind.name.lower(),
        "start": start,
        "ns": (span.end_time or start) - start,
        "attributes": cast("MappingProxyType[str, Any]", span.attributes).copy(),
    }
    if span.parent:
        body["parent"] = f"{span.parent.span_id:016x}"
    if not span.status.is_ok:
        body["error"] = span.status.description or "error"
    if span.events:
        body["events"] = [[event.name, event.timestamp, dict(event.attributes or {})] for event in span.events]
    if span.links:
        body["links"] = [[f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}"] for link in span.links]
    try:
        return to_json(body) + b"\n"
    except PydanticSerializationError:  # half a surrogate pair in a file's name, say: slower, but nothing is lost
        return json.dumps(body, default=str).encode() + b"\n"
