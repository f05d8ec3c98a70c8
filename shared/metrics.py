"""Prometheus metrics of the services, from one look at each ledger.

The ledger's counts are the truth: whoever is scraped asks it, so that no process adds up its own and none is lost with a process.
Workers serve these by `shared.metrics_server`, the gateway beside its `shared.metrics_http`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.ledger.deliveries import Standing

BOUNCE = "bounce_"
"""How the mailer's counters of bounces begin."""


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """One look at a service's ledger. Ages in seconds; `depth` and `oldest_age` by queue; `counters` count since the ledger began."""

    service: str
    depth: Mapping[str, int] = field(default_factory=dict)
    oldest_age: Mapping[str, float] = field(default_factory=dict)
    held_back: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)
    due: int = 0
    """Jobs that wait for a time: a retry's, or the user's `run_at`."""
    dead_letters: int = 0
    workers: int = 0
    busy: int = 0
    deaf: int = 0
    canary_age: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, service: str, stats: Mapping[str, Any]) -> Self:
        """From what the ledger's `stats` call answers."""
        return cls(
            service=service,
            depth={name: queue["depth"] for name, queue in stats["queues"].items()},
            oldest_age={name: queue["oldest_age"] for name, queue in stats["queues"].items()},
            held_back={name: queue["held_back"] for name, queue in stats["queues"].items()},
            states=stats["states"],
            due=stats["due"],
            dead_letters=stats["dead_letters"],
            workers=len(stats["workers"]),
            busy=sum(worker["busy"] for worker in stats["workers"]),
            deaf=sum(bool(worker.get("deaf")) for worker in stats["workers"]),
            canary_age={name: age for name, queue in stats["queues"].items() if (age := queue.get("canary_age")) is not None},
            counters=stats["counters"],
        )


def families(snapshots: Iterable[ServiceSnapshot]) -> list[Metric]:
    """The snapshots as metric families; a service that could not be asked is left out (see `ledger_up`)."""
    depth = GaugeMetricFamily("counterfoil_queue_depth", "Jobs ready to run.", labels=["service", "queue"])
    age = GaugeMetricFamily(
        "counterfoil_queue_oldest_age_seconds", "How long the oldest ready job has waited.", labels=["service", "queue"]
    )
    back = GaugeMetricFamily(
        "counterfoil_queue_held_back", "Ready jobs that a cap on running jobs holds back.", labels=["service", "queue"]
    )
    states = GaugeMetricFamily("counterfoil_jobs_in_state", "Jobs in the ledger by state.", labels=["service", "state"])
    due = GaugeMetricFamily("counterfoil_jobs_due_later", "Jobs that wait for their time: retries and run_at.", labels=["service"])
    dead = GaugeMetricFamily("counterfoil_dead_letters", "Dead letters kept.", labels=["service"])
    workers = GaugeMetricFamily("counterfoil_workers", "Workers with a heartbeat.", labels=["service"])
    deaf = GaugeMetricFamily("counterfoil_workers_deaf", "Workers that are up and take nothing from a queue of theirs.", labels=["service"])
    canary = GaugeMetricFamily(
        "counterfoil_queue_canary_age_seconds", "How long ago any worker took anything from the queue.", labels=["service", "queue"]
    )
    busy = GaugeMetricFamily("counterfoil_jobs_leased", "Jobs under a lease.", labels=["service"])
    bounces = CounterMetricFamily("counterfoil_mail_bounces", "What came back, by what it says.", labels=["service", "kind"])
    total = CounterMetricFamily("counterfoil_jobs", "What happened to jobs, by event.", labels=["service", "event"])
    for shot in snapshots:
        for queue, jobs in shot.depth.items():
            depth.add_metric([shot.service, queue], jobs)
        for queue, jobs in shot.held_back.items():
            back.add_metric([shot.service, queue], jobs)
        for queue, seconds in shot.oldest_age.items():
            age.add_metric([shot.service, queue], seconds)
        for queue, seconds in shot.canary_age.items():
            canary.add_metric([shot.service, queue], seconds)
        for state, jobs in shot.states.items():
            states.add_metric([shot.service, state], jobs)
        for event, count in shot.counters.items():
            if event.startswith(BOUNCE):
                bounces.add_metric([shot.service, event.removeprefix(BOUNCE)], count)
            else:
                total.add_metric([shot.service, event], count)
        due.add_metric([shot.service], shot.due)
        dead.add_metric([shot.service], shot.dead_letters)
        workers.add_metric([shot.service], shot.workers)
        busy.add_metric([shot.service], shot.busy)
        deaf.add_metric([shot.service], shot.deaf)
    return [depth, back, age, states, due, dead, workers, busy, deaf, canary, bounces, total]


def webhook_families(standings: Mapping[str, Standing]) -> list[Metric]:
    """How each service's webhooks fare."""
    pending = GaugeMetricFamily("counterfoil_webhooks_pending", "Deliveries that are still tried.", labels=["service"])
    oldest = GaugeMetricFamily("counterfoil_webhooks_oldest_age_seconds", "How long the oldest of them has been tried.", labels=["service"])
    failing = GaugeMetricFamily("counterfoil_webhook_receivers_failing", "Receivers whose last attempt failed.", labels=["service"])
    heard = GaugeMetricFamily("counterfoil_webhooks_deliverer_age_seconds", "How long ago a deliverer last looked.", labels=["service"])
    total = CounterMetricFamily("counterfoil_webhooks", "What became of deliveries, and of attempts.", labels=["service", "outcome"])
    for service, standing in standings.items():
        pending.add_metric([service], standing.pending)
        oldest.add_metric([service], standing.oldest_age)
        failing.add_metric([service], standing.failing)
        if standing.heard is not None:
            heard.add_metric([service], standing.heard)
        for outcome, count in standing.counts.items():
            total.add_metric([service, outcome], count)
    return [pending, oldest, failing, heard, total]


def ledger_up(answers: Mapping[str, bool]) -> Metric:
    """By service: did its ledger answer? The one thing that a scrape can still say when it did not."""
    up = GaugeMetricFamily("counterfoil_ledger_up", "1 where the service's ledger answered this scrape.", labels=["service"])
    for service, answered in answers.items():
        up.add_metric([service], float(answered))
    return up


def exposition(registry: CollectorRegistry, more: Iterable[Metric] = (), *, accept: str = "") -> tuple[bytes, str]:
    """The body and content type of `/metrics`, in the format that the Accept header asks for: the registry's metrics, and `more`."""
    encode, content_type = choose_encoder(accept)
    return encode(_Together(registry, list(more))), content_type


@dataclass(frozen=True, slots=True)
class _Together:
    registry: CollectorRegistry
    more: list[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.registry.collect()
        yield from self.more
