"""The span file and its reader: bounded, robust against half lines, and drawn as a tree."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link, SpanContext

from shared import spans as spans_module
from shared.spans import SpanFile, prune
from shared.traces import LocalSpan, length, read_trace, render_tree, tree

TRACE = "a" * 32
OTHER = "b" * 32


def local(span: str, parent: str | None = None, *, trace: str = TRACE, start: int = 0, **more: object) -> LocalSpan:
    """A span for a tree; ids are single letters."""
    fields: dict[str, object] = {"name": span, "service": "avatar", "kind": "internal", "ns": 1_000_000, **more}
    return LocalSpan(trace=trace, span=span, parent=parent, start=start, **fields)  # type: ignore[arg-type]  # a test's shorthand


def recorded(count: int, *, links: Sequence[Link] = (), text: str = "x") -> list[ReadableSpan]:
    """Real, ended SDK spans of one trace each."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    made: list[ReadableSpan] = []
    for _ in range(count):
        span = tracer.start_span("render", attributes={"text": text}, links=links)
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def id_of(span: ReadableSpan) -> str:
    """A span's trace id in hex."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def test_a_span_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Name, service, attributes and length survive the file."""
    (span,) = recorded(1, text="grün")
    SpanFile(tmp_path / "traces", "avatar").export([span])
    (read,) = read_trace(tmp_path, id_of(span))

    assert ("render", "avatar", {"text": "grün"}, os.getpid()) == (read.name, read.service, read.attributes, read.pid)
    assert (span.end_time or 0) - (span.start_time or 0) == read.ns


def test_half_a_surrogate_pair_does_not_lose_the_batch(tmp_path: Path) -> None:
    """File names from other systems can hold what UTF-8 cannot."""
    (span,) = recorded(1, text="\ud83d")
    result = SpanFile(tmp_path / "traces", "avatar").export([span])

    assert result is SpanExportResult.SUCCESS
    assert [read.attributes for read in read_trace(tmp_path, id_of(span))] == [{"text": "\ud83d"}]


def test_a_trace_that_links_here_is_read_along(tmp_path: Path) -> None:
    """A retry is a trace of its own; who looks at the job's trace sees it too."""
    (origin,) = recorded(1)
    (retry,) = recorded(1, links=[Link(origin.context)])
    file = SpanFile(tmp_path / "traces", "avatar")
    file.export([origin, retry])
    roots = tree(read_trace(tmp_path, id_of(origin)))

    assert [(id_of(origin), [(id_of(retry), True)])] == [
        (root.span.trace, [(child.span.trace, child.linked) for child in root.children]) for root in roots
    ]


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    """A killed writer leaves half a line at the end of its file; the rest is still read."""
    first, second = recorded(2)
    file = SpanFile(tmp_path / "traces", "avatar")
    file.export([first, second])
    (path,) = (tmp_path / "traces").iterdir()
    os.truncate(path, path.stat().st_size - 5)

    assert len(read_trace(tmp_path, id_of(first))) == 1
    assert not read_trace(tmp_path, id_of(second))


def test_after_a_short_write_the_next_batch_starts_on_a_line_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up cuts a line; when there is room again nothing is glued to it."""
    first, second = recorded(2)
    file = SpanFile(tmp_path / "traces", "avatar")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr("shared.spans.os.write", lambda fd, data: write(fd, data[:20]))
        refused = file.export([first])
    file.export([second])

    assert refused is SpanExportResult.FAILURE
    assert len(read_trace(tmp_path, id_of(second))) == 1


def test_a_process_holds_at_most_two_files(tmp_path: Path) -> None:
    """The file is set aside above its size, once: the one set aside before is gone."""
    file = SpanFile(tmp_path / "traces", "avatar", file_bytes=2_000)
    for _ in range(20):
        file.export(recorded(2, text="x" * 200))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "traces").iterdir()}

    assert {f"avatar-{os.getpid()}.jsonl", f"avatar-{os.getpid()}.jsonl.1"} == set(sizes)
    assert all(size <= 2_000 for size in sizes.values())


def test_dead_processes_files_go_first(tmp_path: Path) -> None:
    """Over the total, the oldest file of a dead process is deleted before a living one's, however old that is."""
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True, text=True
    ).stdout.strip()
    live, dead = tmp_path / f"avatar-{os.getpid()}.jsonl", tmp_path / f"avatar-{gone}.jsonl"
    for age, path in enumerate((dead, live)):
        path.write_bytes(b"x" * 1_000)
        os.utime(path, (1_000 - age, 1_000 - age))
    deleted = prune(tmp_path, total_bytes=1_500)

    assert deleted == [dead]
    assert live.exists()


def test_only_the_newest_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recycled pool children each leave a file, so their number is bounded too."""
    monkeypatch.setattr(spans_module, "MAX_FILES", 3)
    for age in range(5):
        path = tmp_path / f"avatar-x{age}.jsonl"
        path.write_bytes(b"x")
        os.utime(path, (age, age))
    prune(tmp_path)

    assert {"avatar-x2.jsonl", "avatar-x3.jsonl", "avatar-x4.jsonl"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("asked", ["", "../../etc/passwd", "A" * 32, "a" * 31])
def test_a_malformed_id_finds_nothing(tmp_path: Path, asked: str) -> None:
    """An id comes from a URL; only 32 hex digits are searched for."""
    SpanFile(tmp_path / "traces", "avatar").export(recorded(1))

    assert not read_trace(tmp_path, asked)


def test_an_id_in_an_attribute_is_not_a_member(tmp_path: Path) -> None:
    """Bytes are searched, but a span belongs to a trace by its id or its links only."""
    (stranger,) = recorded(1, text=TRACE)
    SpanFile(tmp_path / "traces", "avatar").export([stranger])

    assert not read_trace(tmp_path, TRACE)


def test_siblings_are_in_order_and_orphans_are_roots() -> None:
    """A span whose parent was the caller's, or was lost, still shows."""
    roots = tree([local("c", "a", start=3), local("b", "a", start=2), local("a", "caller", start=1), local("lost", "?", start=4)])

    assert [(root.span.span, [child.span.span for child in root.children]) for root in roots] == [("a", ["b", "c"]), ("lost", [])]


def test_spans_that_are_each_others_parents_do_not_loop() -> None:
    """A forged or damaged file must not hang the reader."""
    assert not tree([local("a", "b"), local("b", "a")])
    assert render_tree(tree([local("a", "a")]))


def test_a_tree_reads_well() -> None:
    """Names, lengths, offsets, the service where it changes, the error, and linked retries, in aligned columns."""
    text = render_tree(
        tree(
            [
                local("POST /v1/avatars", service="gateway", ns=12_300_000),
                local("send avatar", "POST /v1/avatars", start=2_000_000, service="gateway"),
                local("process avatar", "send avatar", start=40_000_000, ns=1_240_000_000, error="PermanentError: no\n\x1b[31mface"),
                local("retry", None, trace=OTHER, start=61_000_000_000, ns=185_000_000_000, links=[[TRACE, "send avatar"]]),
            ]
        )
    )

    assert text.splitlines() == [
        "POST /v1/avatars       12.3 ms  +0.0 ms   ─ gateway",
        "└─ send avatar          1.0 ms  +2.0 ms",
        "   ├─ process avatar    1.24 s  +40.0 ms  ─ avatar  ✗ PermanentError: no  [31mface",
        "   └─ ↻ retry         3 m 05 s  +1 m 01 s ─ avatar",
    ]


def test_many_siblings_are_counted_not_drawn() -> None:
    """A mailing has a span per batch; a terminal wants a few of them."""
    text = render_tree(tree([local("root"), *(local(f"s{n}", "root", start=n) for n in range(40))]), most_children=3)

    assert text.splitlines()[-1] == "└─ … 37 more"
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize(("ns", "said"), [(0, "0.0 ms"), (400_000, "0.4 ms"), (1_240_000_000, "1.24 s"), (60_000_000_000, "1 m 00 s")])
def test_lengths_are_said_for_people(ns: int, said: str) -> None:
    """Milliseconds, seconds, minutes."""
    assert said == length(ns)


def test_a_context_for_links_needs_no_recording_span(tmp_path: Path) -> None:
    """A link to a remote context (all a worker knows of the origin) is written by its ids."""
    (span,) = recorded(1, links=[Link(SpanContext(int(TRACE, 16), 7, is_remote=True))])
    SpanFile(tmp_path / "traces", "avatar").export([span])
    (path,) = (tmp_path / "traces").iterdir()

    assert [[TRACE, f"{7:016x}"]] == json.loads(path.read_bytes())["links"]
