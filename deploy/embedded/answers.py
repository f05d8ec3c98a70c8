"""Does it serve already? One look at each kind of process; none of them raises, and each ends within a few seconds."""

import socket
import time
import urllib.request
from collections.abc import Callable

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import UnavailableError
from shared.ledger import calls
from shared.ledger.store import Ledger


def http(url: str) -> bool:
    """Whether `url` answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except OSError:
        return False


def redis(url: str) -> bool:
    """Whether a ledger's server answers."""
    try:
        with Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except RedisError:
        return False


def worker(ledger: str, service: str) -> Callable[[], bool]:
    """A look for a worker of `service` on this machine, started after this call, that has a heartbeat in the ledger."""
    since, own = time.time() * 1000, Ledger(ledger, service, rings_here=True)

    def look() -> bool:
        try:
            found = own.run(calls.stats(()))["workers"]
        except UnavailableError:
            return False
        return any(each["host"] == socket.gethostname() and each["started_at"] >= since for each in found)

    return look
