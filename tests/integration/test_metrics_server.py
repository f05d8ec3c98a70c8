"""A worker's metrics port: serves, survives failures, and frees the port with its parent."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from urllib.request import urlopen

import pytest
from prometheus_client.metrics_core import Metric

from shared.errors import UnavailableError
from shared.metrics import ServiceSnapshot, families
from shared.metrics_server import process_families, serve


def scrape(port: int) -> str:
    """The body of `/metrics`."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_each_scrape_looks_anew() -> None:
    """The snapshot is taken when asked for, not when the server starts."""
    looks: list[int] = []

    def collect() -> Iterable[Metric]:
        looks.append(1)
        return families([ServiceSnapshot(service="avatar", dead_letters=len(looks))])

    with serve(0, collect) as server:
        first, second = scrape(server.port), scrape(server.port)

    assert 'counterfoil_dead_letters{service="avatar"} 1.0' in first
    assert 'counterfoil_dead_letters{service="avatar"} 2.0' in second
    assert "counterfoil_scrape_ok 1.0" in second


def test_a_ledger_that_is_down_is_said_not_hidden() -> None:
    """The scrape answers, and says that something did not."""

    def collect() -> Iterable[Metric]:
        raise UnavailableError("ledger", "connection refused")

    with serve(0, collect) as server:
        assert "counterfoil_scrape_ok 0.0" in scrape(server.port)


def test_a_taken_port_is_an_error() -> None:
    """Two workers with one metrics port: the second says so instead of serving nothing."""
    with serve(0, list) as server, pytest.raises(OSError, match="in use"):
        serve(server.port, list)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_hold_the_port() -> None:
    """A pool child may outlive its parent by a moment; the restarted parent must get its port all the same."""
    reader, writer = os.pipe()
    server = serve(0, list)
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)  # lives until the parent has tried
        os._exit(0)
    try:
        server.close()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", server.port))
            again.listen()
    finally:
        os.close(writer)
        os.waitpid(child, 0)
        os.close(reader)


def test_memory_and_processor_time_of_the_whole_family() -> None:
    """Children (FFmpeg, too) count, and their CPU time stays in the total after they have ended."""

    def total(found: list[Metric], name: str) -> float:
        return sum(sample.value for family in found for sample in family.samples if sample.name == name)

    with subprocess.Popen(
        [sys.executable, "-c", "sum(range(3_000_000)); print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = process_families("avatar")
        child.communicate(b"\n")
    after = process_families("avatar")

    assert total(during, "counterfoil_worker_processes") == total(after, "counterfoil_worker_processes") + 1
    assert total(during, "counterfoil_worker_resident_bytes") > 10_000_000
    assert total(after, "counterfoil_worker_cpu_seconds_total") >= total(during, "counterfoil_worker_cpu_seconds_total") > 0
