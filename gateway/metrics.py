"""The gateway's own Prometheus metrics: requests by route template, status and time."""

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_SERIES = 2_000


class Requests:
    """Counts requests. Labels are route templates, never paths, so that nobody from outside makes series without end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._count = Counter("counterfoil_http_requests", "Requests answered", labels, registry=registry)
        self._seconds = Histogram(
            "counterfoil_http_request_seconds",
            "Time from the request's head to the last byte",
            labels[:2],
            buckets=BUCKETS,
            registry=registry,
        )
        # `labels()` costs more than the count itself: keep its results.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def served(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered with `status` after `seconds`."""
        series = self._series.get((method, route, status))
        if series is None:
            known = method if method in _KNOWN else "other"
            series = self._count.labels(known, route, str(status)), self._seconds.labels(known, route)
            if len(self._series) < MAX_SERIES:
                self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)
