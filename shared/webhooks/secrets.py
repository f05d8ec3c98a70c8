"""Tenants' signing secrets, in the platform's Redis beside the API keys: the gateway makes them, the deliverer signs with them.

They must be kept as they are, for a signature is made with the secret itself; whoever can read that Redis can sign.
"""

import json
import secrets as randomness
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from shared.errors import UnavailableError
from shared.ledger.store import CONNECTION
from shared.webhooks.signing import new_secret

MOST = 5
"""Secrets of a tenant that may be valid at once."""
CACHED = 5.0
"""Seconds until a deliverer notices another secret."""

# ARGV: id, secret, now (Unix s), overlap (s; -1: only if there is none), most. Answers the secrets' JSON, or nothing where there are as
# many as there may be. What is over is forgotten here; those that were before the new one go on for `overlap`.
MAKE = """
local now, overlap, valid = tonumber(ARGV[3]), tonumber(ARGV[4]), {}
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  local s = cjson.decode(kept[i + 1])
  if s.expires and s.expires <= now then redis.call('HDEL', KEYS[1], kept[i]) else valid[kept[i]] = s; valid[#valid + 1] = kept[i] end
end
if overlap >= 0 and #valid >= tonumber(ARGV[5]) then return {} end
if overlap >= 0 or #valid == 0 then
  for _, id in ipairs(valid) do
    local s = valid[id]
    s.expires = math.min(s.expires or now + overlap, now + overlap)
    redis.call('HSET', KEYS[1], id, cjson.encode(s))
  end
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode({id = ARGV[1], secret = ARGV[2], created = now}))
end
return redis.call('HVALS', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret. Times are Unix seconds; `expires` None: until it is replaced."""

    id: str
    secret: str
    created: int
    expires: int | None


def key_of(tenant: str) -> str:
    """Where a tenant's secrets are."""
    return f"cf:{{gateway}}:webhook-secrets:{tenant}"


def make_arguments(*, overlap: int) -> tuple[str, str, int, int, int]:
    """`MAKE`'s arguments for a new secret."""
    return f"whs_{randomness.token_hex(8)}", new_secret(), int(time.time()), overlap, MOST


def read(values: Sequence[str | bytes], *, now: float | None = None) -> list[Secret]:
    """The valid ones among them, the newest first."""
    found = [Secret(s["id"], s["secret"], int(s["created"]), s.get("expires") and int(s["expires"])) for s in map(json.loads, values)]
    at = time.time() if now is None else now
    return sorted((s for s in found if s.expires is None or s.expires > at), key=lambda s: (s.created, s.id), reverse=True)


class Signers:
    """Every tenant's valid secrets, looked up again after a few seconds; a tenant without one gets its first."""

    def __init__(self, url: str) -> None:
        self._redis: redis.Redis = redis.Redis.from_url(url, **CONNECTION)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, list[str]]] = {}

    def of(self, tenant: str) -> list[str]:
        """What to sign with. Raises UnavailableError."""
        with self._lock:
            until, known = self._known.get(tenant, (0.0, []))
        if time.monotonic() < until:
            return known
        try:
            values = self._redis.eval(MAKE, 1, key_of(tenant), *make_arguments(overlap=-1))
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise UnavailableError("ledger", f"the platform's ledger does not answer ({type(error).__name__})") from error
        found = [each.secret for each in read(values)]
        with self._lock:
            if len(self._known) > 10_000:  # noqa: PLR2004 - bounded, whoever comes
                self._known.clear()
            self._known[tenant] = (time.monotonic() + CACHED, found)
        return found
