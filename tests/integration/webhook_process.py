"""A deliverer in a process of its own, to be killed: `python -m tests.integration.webhook_process REDIS_URL SERVICE`."""

import sys

from shared.ledger.store import Ledger
from shared.webhooks.deliverer import Deliverer
from shared.webhooks.posting import Reach
from shared.webhooks.secrets import Signers
from tests.integration.webhook_desk import LOOPBACK

if __name__ == "__main__":
    url, service = sys.argv[1:]
    Deliverer(Ledger(url, service, rings_here=True), Signers(url), Reach(LOOPBACK, 20.0), lease=1.0).run()
