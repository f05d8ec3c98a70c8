"""A worker's `/metrics`: served by a thread of its parent, for pool children come and go.

What the ledger says comes from the caller; memory and CPU of the whole family come from the operating system.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil
import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

Collect = Callable[[], Iterable[Metric]]


def process_families(service: str, pid: int | None = None) -> list[Metric]:
    """Memory and CPU of a worker and all its descendants (pool children, FFmpeg), from the operating system.

    CPU seconds of children that have ended are in their parent's account, so the total only grows.
    """
    parent = psutil.Process(pid)
    resident = {"parent": float(parent.memory_info().rss), "children": 0.0}
    times = parent.cpu_times()
    seconds = times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    children = parent.children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):  # it ended between the list and the look
            resident["children"] += child.memory_info().rss
            times = child.cpu_times()
            seconds += times.user + times.system
    memory = GaugeMetricFamily(
        "counterfoil_worker_resident_bytes", "Resident memory of the worker's processes.", labels=["service", "role"]
    )
    for role, size in resident.items():
        memory.add_metric([service, role], size)
    count = GaugeMetricFamily("counterfoil_worker_processes", "Processes below the worker's parent.", labels=["service"])
    count.add_metric([service], len(children))
    cpu = CounterMetricFamily("counterfoil_worker_cpu_seconds", "CPU time of the worker and its descendants.", labels=["service"])
    cpu.add_metric([service], seconds)
    return [memory, count, cpu]


class Calls:
    """A Prometheus collector that calls a function at each scrape; where that fails, the rest is still served."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would otherwise call the function when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What the function answers, then whether it did."""
        ok = GaugeMetricFamily("counterfoil_scrape_ok", "1 where everything asked in this scrape answered.")
        try:
            found = list(self._collect())
        except Exception as exc:  # noqa: BLE001 - whatever it was, the scrape must say so and not fail as a whole
            structlog.get_logger().warning("metrics_not_collected", error=f"{type(exc).__name__}: {exc}")
            found = []
            ok.add_metric([], 0.0)
        else:
            ok.add_metric([], 1.0)
        yield from found
        yield ok


class MetricsServer:
    """Serves `/metrics` from a daemon thread, in the worker's parent; `port` is the one it got. A context manager."""

    def __init__(self, port: int, collect: Collect, *, host: str) -> None:
        registry = CollectorRegistry()
        registry.register(Calls(collect))
        self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        self.port = int(self._server.server_port)
        # A child that inherits the listening socket would keep the port busy after its parent's death.
        os.register_at_fork(after_in_child=self._server.socket.close)

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None) -> None:
        self.close()


def serve(port: int, collect: Collect, *, host: str = "127.0.0.1") -> MetricsServer:
    """Start serving what `collect` answers; it runs in the server's threads, once a scrape. Port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    return MetricsServer(port, collect, host=host)
