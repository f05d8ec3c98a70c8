"""The gateway's HTTP metrics, cheap enough to count every request."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


PRUNED_UPLOADS = Counter("counterfoil_uploads_pruned", "Finished uploads that retention removed.", registry=None)


class HttpMetrics:
    """The gateway's requests: a count by status and a duration by route. About 2 µs a request."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(PRUNED_UPLOADS)
        self._requests = Counter("counterfoil_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        self._duration = Histogram(
            "counterfoil_http_request_duration_seconds",
            "Time to the last byte.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "counterfoil_http_requests_in_progress", "Requests under way, event streams included.", registry=self.registry
        )
        # `labels()` costs more than the count itself; routes are few, so its answers are kept.
        self._known: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is the template that matched (`/v1/jobs/{id}`), "" where none did: never the path itself."""
        known = self._known.get((method, route, status))
        if known is None:
            known = self._learn(method, route, status)
        known[0]()
        known[1](seconds)

    def _learn(self, method: str, route: str, status: int) -> tuple[Callable[[], None], Callable[[float], None]]:
        shown, matched = method if method in _METHODS else "OTHER", route or "unmatched"
        made = (self._requests.labels(shown, matched, str(status)).inc, self._duration.labels(shown, matched).observe)
        if shown == method:  # a scanner's made-up methods must not fill the table
            self._known[method, route, status] = made
        return made
