"""`python -m shared.webhooks`: delivers the webhooks of every service until it is told to stop. Any number of these may run."""

import os
import signal
import threading

import structlog

from shared import telemetry
from shared.addresses import networks
from shared.contracts.registry import contracts
from shared.ledger.deliveries import Limits
from shared.ledger.store import Ledger
from shared.logging import configure
from shared.settings import ServiceSettings
from shared.webhooks.deliverer import Deliverer
from shared.webhooks.posting import Reach
from shared.webhooks.secrets import Signers
from shared.webhooks.settings import WebhookSettings

log = structlog.get_logger()
GRACE = 8.0
"""Seconds that attempts under way have to be given back."""
DEFAULT_REDIS = "redis://127.0.0.1:6379/0"


def deliverers(settings: WebhookSettings) -> list[Deliverer]:
    """One for each service that there is a contract for."""
    signers = Signers(settings.redis_url or DEFAULT_REDIS)
    reach = Reach(networks(settings.webhook_networks), settings.webhook_timeout)
    found = []
    for name in contracts():
        own = ServiceSettings(_env_prefix=f"{name.upper()}_")
        found.append(
            Deliverer(
                Ledger(own.redis_url, name, rings_here=own.rings_in_ledger),
                signers,
                reach,
                slots=settings.webhook_concurrency,
                limits=Limits(settings.webhook_per_receiver, tenant=settings.webhook_per_tenant),
                public_url=settings.public_url,
            )
        )
    return found


def main() -> None:
    """Deliver."""
    settings = WebhookSettings()
    configure("webhooks", settings.log_level)
    telemetry.setup("webhooks", settings.home)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running = deliverers(settings)
    for each in running:
        each.start()
    log.info("webhooks_ready", services=list(contracts()))
    stop.wait()
    for each in running:
        each.stop()
    for each in running:
        each.join(GRACE / len(running))
    log.info("webhooks_stopped")
    telemetry.shutdown()
    os._exit(0)  # a thread may still wait for a name's addresses; what it has, the ledger gives to another


if __name__ == "__main__":
    main()
