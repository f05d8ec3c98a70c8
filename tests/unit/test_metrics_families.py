"""Metric families from snapshots, and the gateway's HTTP metrics."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.ledger.deliveries import Standing
from shared.metrics import ServiceSnapshot, exposition, families, ledger_up, webhook_families
from shared.metrics_http import HttpMetrics

STATS = {
    "queues": {
        "avatar": {"depth": 7, "oldest_age": 12.5, "canary_age": 8.5, "held_back": 3},
        "avatar.high": {"depth": 0, "oldest_age": 0.0, "held_back": 0},
    },
    "states": {"queued": 7, "running": 2, "retrying": 1},
    "due": 1,
    "dead_letters": 3,
    "workers": [{"id": "w1", "busy": 2, "deaf": False}, {"id": "w2", "busy": 0, "deaf": True}],
    "counters": {"succeeded": 40, "stale_refused": 1},
}


def samples(body: bytes) -> dict[tuple[str, ...], float]:
    """Every sample of an exposition by name and label values in the order of the labels' names, read by Prometheus' own parser."""
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            found[sample.name, *(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_webhooks_become_metrics() -> None:
    """Pending, oldest, receivers that fail, and what became of deliveries; no age of a deliverer that never was."""
    standings = {"avatar": Standing(3, 1, 12.5, 2, {"delivered": 40, "lost": 1}, 0.5), "mailer": Standing(0, 0, 0.0, 0, {}, None)}
    found = samples(exposition(HttpMetrics().registry, webhook_families(standings))[0])

    assert {name: value for name, value in found.items() if "avatar" in name} == {
        ("counterfoil_webhooks_pending", "avatar"): 3,
        ("counterfoil_webhooks_oldest_age_seconds", "avatar"): 12.5,
        ("counterfoil_webhook_receivers_failing", "avatar"): 2,
        ("counterfoil_webhooks_deliverer_age_seconds", "avatar"): 0.5,
        ("counterfoil_webhooks_total", "delivered", "avatar"): 40,
        ("counterfoil_webhooks_total", "lost", "avatar"): 1,
    }
    assert ("counterfoil_webhooks_deliverer_age_seconds", "mailer") not in found


def test_a_look_at_the_ledger_becomes_metrics() -> None:
    """Depth and age by queue, jobs by state, dead letters, workers and counters, each by service."""
    shots = [ServiceSnapshot.of("avatar", STATS), ServiceSnapshot(service="mailer", dead_letters=1)]
    found = samples(exposition(HttpMetrics().registry, [*families(shots), ledger_up({"avatar": True, "transcoder": False})])[0])

    assert {name: value for name, value in found.items() if "avatar" in name} == {
        ("counterfoil_queue_depth", "avatar", "avatar"): 7,
        ("counterfoil_queue_depth", "avatar.high", "avatar"): 0,
        ("counterfoil_queue_held_back", "avatar", "avatar"): 3,
        ("counterfoil_queue_held_back", "avatar.high", "avatar"): 0,
        ("counterfoil_queue_oldest_age_seconds", "avatar", "avatar"): 12.5,
        ("counterfoil_queue_oldest_age_seconds", "avatar.high", "avatar"): 0,
        ("counterfoil_jobs_in_state", "avatar", "queued"): 7,
        ("counterfoil_jobs_in_state", "avatar", "running"): 2,
        ("counterfoil_jobs_in_state", "avatar", "retrying"): 1,
        ("counterfoil_jobs_due_later", "avatar"): 1,
        ("counterfoil_dead_letters", "avatar"): 3,
        ("counterfoil_workers", "avatar"): 2,
        ("counterfoil_jobs_leased", "avatar"): 2,
        ("counterfoil_workers_deaf", "avatar"): 1,
        ("counterfoil_queue_canary_age_seconds", "avatar", "avatar"): 8.5,
        ("counterfoil_jobs_total", "succeeded", "avatar"): 40,
        ("counterfoil_jobs_total", "stale_refused", "avatar"): 1,
        ("counterfoil_ledger_up", "avatar"): 1,
    }
    assert found["counterfoil_dead_letters", "mailer"] == 1
    assert found["counterfoil_ledger_up", "transcoder"] == 0


def test_requests_are_counted_by_route_and_status() -> None:
    """The same route with two statuses: two counts, one duration."""
    http = HttpMetrics()
    for status in (202, 202, 422):
        http.observe("POST", "/v1/avatars", status, 0.004)
    found = samples(exposition(http.registry)[0])

    assert (2, 1) == tuple(found["counterfoil_http_requests_total", "POST", "/v1/avatars", status] for status in ("202", "422"))
    assert found["counterfoil_http_request_duration_seconds_count", "POST", "/v1/avatars"] == 3
    assert found["counterfoil_http_request_duration_seconds_bucket", "0.005", "POST", "/v1/avatars"] == 3
    assert found["counterfoil_http_request_duration_seconds_bucket", "0.0025", "POST", "/v1/avatars"] == 0


def test_strangers_cannot_grow_the_table() -> None:
    """Unmatched routes share a label, and so do methods that do not exist."""
    http = HttpMetrics()
    for number in range(100):
        http.observe(f"PWN{number}", "", 404, 0.001)
    found = samples(exposition(http.registry)[0])

    assert found["counterfoil_http_requests_total", "OTHER", "unmatched", "404"] == 100
    assert not http._known


@pytest.mark.parametrize(
    ("accept", "kind"), [("", "text/plain"), ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text")]
)
def test_the_scraper_chooses_the_format(accept: str, kind: str) -> None:
    """Prometheus asks for OpenMetrics; a browser gets plain text."""
    body, content_type = exposition(HttpMetrics().registry, families([ServiceSnapshot.of("avatar", STATS)]), accept=accept)

    assert kind == content_type.split(";")[0]
    assert body.endswith(b"# EOF\n") == (kind != "text/plain")
