"""Spans of several processes, over real OTLP/HTTP and in the local files, form one tree."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import telemetry
from shared.traces import read_trace, render_tree, tree
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan, assert_one_tree

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # Python 3.12: forking is the point here


@pytest.fixture
def otlp(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A running receiver that the standard variable names; recording starts anew in each test."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    telemetry.shutdown()
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        yield receiver
        telemetry.shutdown()


def submit() -> dict[str, str]:
    """What the gateway does: a server span, a publish in it; answers the envelope's context."""
    with telemetry.server_span("POST", "/v1/avatars", HEADERS) as span, telemetry.publish_span("avatar", "avatar.generate.v1", "avatar_1"):
        telemetry.responded(span, 202)
        return telemetry.carrier()


def work(carrier: dict[str, str]) -> None:
    """What a pool child does with the envelope."""
    with telemetry.process_span("avatar", "avatar.generate.v1", "avatar_1", attempt=1, epoch=1, carrier=carrier), telemetry.step("render"):
        telemetry.event("rendered", style="bottts")


def in_a_fork(service: str, home: Path, carrier: dict[str, str]) -> None:
    """Work in a forked child that leaves by `os._exit`, as a pool child does; its spans must be out by then."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            telemetry.setup(service, home)
            work(carrier)
            code = 0 if telemetry.flush(10) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def assert_whole(spans: list[ReceivedSpan]) -> None:
    """The four spans of one job, from two services, under the caller's span."""
    assert_one_tree(spans, outer_parent=CALLER)
    assert [("POST /v1/avatars", "SERVER"), ("send avatar", "PRODUCER"), ("process avatar", "CONSUMER"), ("render", "INTERNAL")] == [
        (span.name, span.kind) for span in spans
    ]
    assert ["counterfoil-gateway"] * 2 + ["counterfoil-avatar"] * 2 == [span.service for span in spans]


def test_a_parent_that_records_and_its_forked_child_make_one_tree(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """The child starts its own provider after the fork; nothing of the parent's is sent twice or lost."""
    telemetry.setup("gateway", tmp_path)
    in_a_fork("avatar", tmp_path, submit())

    assert telemetry.flush(10)
    assert_whole(otlp.trace(TRACE))
    assert len({span.resource["service.instance.id"] for span in otlp.spans}) == 2


def test_a_parent_that_never_records_forks_children_that_do(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """A worker's case: children come and go (max_tasks_per_child), each with a provider of its own."""
    carrier = {"traceparent": HEADERS["traceparent"]}
    for _ in range(2):
        in_a_fork("avatar", tmp_path, carrier)

    assert ["process avatar", "render"] * 2 == [span.name for span in otlp.trace(TRACE)]
    assert len({span.resource["process.pid"] for span in otlp.spans}) == 2


def test_a_child_that_never_sets_up_records_nothing(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """What it inherited has no export thread, so nothing may pile up in it; its own context still goes through."""
    telemetry.setup("gateway", tmp_path)
    child = os.fork()
    if child == 0:
        with telemetry.server_span("GET", "/livez", HEADERS) as span:
            os._exit(0 if not span.is_recording() and telemetry.current_trace_id() == TRACE else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert not otlp.spans


def test_the_local_files_show_the_same_tree(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """Without a collector one still sees the whole job, services named."""
    del otlp
    telemetry.setup("gateway", tmp_path)
    in_a_fork("avatar", tmp_path, submit())
    telemetry.flush(10)
    drawn = render_tree(tree(read_trace(tmp_path, TRACE))).splitlines()

    assert ["POST /v1/avatars", "└─ send avatar", "└─ process avatar", "└─ render"] == [line.strip().split("  ")[0] for line in drawn]
    assert ["gateway", "avatar"] == [line.rpartition("─ ")[2] for line in (drawn[0], drawn[2])]
    assert oct((tmp_path / "traces").stat().st_mode)[-3:] == "700"


def test_spans_arrive_by_themselves_within_seconds(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """Who looks at a trace right after the job sees all of it: batches leave every half second."""
    telemetry.setup("gateway", tmp_path)
    submit()

    otlp.wait_for_names("POST /v1/avatars", "send avatar", timeout_s=5)


def test_a_process_that_ends_loses_nothing(otlp: OtlpReceiver, tmp_path: Path) -> None:
    """At exit what is left is exported, also in a process that never flushes."""
    start = "import pathlib, sys; from shared import telemetry; telemetry.setup('beat', pathlib.Path(sys.argv[1]))"
    script = f"{start}\nwith telemetry.step('tick'): pass"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)

    assert ["tick"] == [span.name for span in otlp.spans]


def test_a_collector_that_hangs_holds_nobody_up(otlp: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush ends in the time it was given, and the local file is complete by then."""
    monkeypatch.setattr(otlp, "_take", lambda _body: time.sleep(3))
    telemetry.setup("gateway", tmp_path)
    submit()
    before = time.monotonic()
    flushed = telemetry.flush(0.5)

    assert not flushed
    assert time.monotonic() - before < 2
    assert len(read_trace(tmp_path, TRACE)) == 2


def test_the_standard_variables_are_honoured(otlp: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployer's names go before ours; gzip, too, is theirs to ask for."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-avatars")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,host.name=alpha")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    telemetry.setup("gateway", tmp_path)
    submit()
    telemetry.flush(10)
    (resource, *_) = [span.resource for span in otlp.spans]

    assert ("shop-avatars", "staging", "alpha") == (
        resource["service.name"],
        resource["deployment.environment.name"],
        resource["host.name"],
    )


def test_traces_can_be_switched_off(otlp: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_TRACES_EXPORTER=none: neither a collector nor a file; the caller's trace still goes through."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    telemetry.setup("gateway", tmp_path)
    carrier = submit()
    telemetry.flush(10)

    assert telemetry.trace_id_of(carrier) == TRACE
    assert not otlp.spans
    assert not (tmp_path / "traces").exists()
