"""Rate limits: a token bucket per key, in Redis, so that all gateways count together.

A bucket holds one minute's requests and is refilled evenly, so that a burst is possible and a steady excess is not. The answer's
`RateLimit-Policy` and `RateLimit` fields follow draft-ietf-httpapi-ratelimit-headers-11.
"""

import math
from typing import Any, cast

import redis.asyncio
from starlette.requests import HTTPConnection

from gateway.problems import Problem

PREFIX = "cf:{gateway}:rate:"
WINDOW = 60
KEY = "counterfoil.rate"
"""Where the fields of this request's answer are kept in the ASGI scope, for the middleware."""

# By the server's clock. Answers whether there was a token, how many whole ones are left, and ms until the next one.
_TAKE = """
local t = redis.call('TIME')
local now, quota, window = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(quota, (tonumber(kept[1]) or quota) + (now - (tonumber(kept[2]) or now)) * quota / window)
local taken = 0
if tokens >= 1 then tokens = tokens - 1; taken = 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], window * 2)
return {taken, math.floor(tokens), math.ceil(math.max(0, 1 - tokens) * window / quota)}
"""


async def spend(client: redis.asyncio.Redis, connection: HTTPConnection, key_id: str, per_minute: int, *, whose: str = "this key") -> None:
    """Take one request off the bucket of a key, or of what `whose` names. Raises Problem 429 with Retry-After where it is empty."""
    reply = cast("list[Any]", await client.eval(_TAKE, 1, PREFIX + key_id, str(per_minute), str(WINDOW)))
    taken, left, wait_ms = (int(value) for value in reply)
    fields = {
        "RateLimit-Policy": f'"default";q={per_minute};w={WINDOW}',
        "RateLimit": f'"default";r={left};t={math.ceil(wait_ms / 1000) if left == 0 else 0}',
    }
    if taken:
        connection.scope[KEY] = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        return
    seconds = max(1, math.ceil(wait_ms / 1000))
    raise Problem(
        "rate-limited",
        f"{whose} may make {per_minute} requests a minute; wait {seconds} s",
        headers={**fields, "Retry-After": str(seconds)},
    )
