"""API keys: who is asking, and what they may do.

A key is `cf_` and 256 random bits. Only its SHA-256 is stored: a slow password hash protects secrets that can be guessed,
and these cannot, so it would only cost 100 ms a request. Looking a key up by its digest also leaves no comparison of
strings to be timed.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import redis.asyncio
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from gateway.keyfile import kept_key
from gateway.problems import Problem
from gateway.rates import spend

Scope = Literal["submit", "read", "operate"]
SCOPES: tuple[Scope, ...] = ("submit", "read", "operate")
DEFAULT_TENANT = "default"
"""The installation's owner: its `operate` keys manage the keys of every tenant."""

PREFIX = "cf:{gateway}:key:"
INDEX = "cf:{gateway}:keys"
"""A sorted set of all digests, every score 0, so that a key's id (the digest's beginning) is found by ZRANGEBYLEX."""

CACHE_SECONDS = 3.0
"""So long may another gateway process accept a key after it was revoked."""
CACHE_SIZE = 10_000
_KEY = re.compile(r"cf_[A-Za-z0-9_-]{32,86}")
_ID = re.compile(r"key_[0-9a-f]{16}")

# A key that was revoked meanwhile must not come back as a hash of one field.
_TOUCH = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'last_used_on', ARGV[1]) end"


class Limits(BaseModel):
    """What a key may use; None: no limit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requests_per_minute: int | None = Field(default=None, ge=1)
    live_jobs: int | None = Field(default=None, ge=1, description="jobs of the tenant that are not done, in each service")
    running_jobs: int | None = Field(
        default=None,
        ge=1,
        description="jobs of the tenant that run at once, in each service; what was submitted with this key waits for it",
    )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `key_id` names the key without revealing it."""

    tenant: str
    key_id: str
    scopes: frozenset[str]
    limits: Limits


class KeyInfo(BaseModel):
    """A key as it is listed; the secret itself is shown once, when it is made."""

    id: str
    tenant: str
    name: str
    scopes: list[Scope]
    limits: Limits
    created_at: str
    last_used_on: str | None = Field(default=None, description="the day of the last use, in UTC")


def digest_of(key: str) -> str:
    """The lower-case hex SHA-256 under which a key is stored."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_id(digest: str) -> str:
    """The public name of the key with this digest."""
    return f"key_{digest[:16]}"


class Keys:
    """The keys in Redis, with a cache of a few seconds in front."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self.redis = client
        self._cache: dict[bytes, tuple[float, Principal]] = {}

    async def principal(self, key: bytes) -> Principal | None:
        """Whose key this is; None where it is nobody's."""
        now = time.monotonic()
        cached = self._cache.get(key)
        if cached is not None and cached[0] > now:
            return cached[1]
        self._cache.pop(key, None)
        text = key.decode("latin-1")
        if not _KEY.fullmatch(text):
            return None
        digest = digest_of(text)
        record = await self._record(digest)
        if record is None:
            return None
        if record.last_used_on != (today := _today()):
            await self.redis.eval(_TOUCH, 1, PREFIX + digest, today)
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        principal = Principal(record.tenant, record.id, frozenset(record.scopes), record.limits)
        self._cache[key] = (now + CACHE_SECONDS, principal)
        return principal

    async def make(self, tenant: str, name: str, scopes: Sequence[Scope], limits: Limits | None = None) -> tuple[str, KeyInfo]:
        """A new key: its secret, which nothing stores, and its entry."""
        key = f"cf_{secrets.token_urlsafe(32)}"
        return key, await self._write(key, tenant, name, scopes, limits or Limits())

    async def list(self, tenant: str | None) -> list[KeyInfo]:
        """All keys of `tenant` (None: of everybody), oldest first."""
        members = cast("list[bytes]", await self.redis.zrange(INDEX, 0, -1))
        records = [await self._record(member.decode()) for member in members]
        return sorted((info for info in records if info and tenant in {None, info.tenant}), key=lambda info: (info.created_at, info.id))

    async def revoke(self, identifier: str, tenant: str | None) -> bool:
        """Remove the key called `identifier` if it is `tenant`'s (None: anybody's); False where there is none such."""
        if not _ID.fullmatch(identifier):
            return False
        start = identifier.removeprefix("key_")
        found = cast("list[bytes]", await self.redis.zrangebylex(INDEX, f"[{start}", f"[{start}g"))  # g is the first character after hex
        for digest in (member.decode() for member in found):
            info = await self._record(digest)
            if info is not None and tenant in {None, info.tenant}:
                async with self.redis.pipeline(transaction=True) as pipe:
                    pipe.delete(PREFIX + digest)
                    pipe.zrem(INDEX, digest)
                    await pipe.execute()
                self._cache.clear()
                return True
        return False

    async def bootstrap(self, path: Path) -> None:
        """See to it that the key in the file `path` exists, with all scopes, for the default tenant; the file is made once."""
        key = kept_key(path, lambda: f"cf_{secrets.token_urlsafe(32)}", _KEY)
        if await self._record(digest_of(key)) is None:
            await self._write(key, DEFAULT_TENANT, "first start", SCOPES, Limits())

    async def _write(self, key: str, tenant: str, name: str, scopes: Sequence[Scope], limits: Limits) -> KeyInfo:
        digest = digest_of(key)
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        fields: dict[bytes | bytearray | memoryview[int] | str | int | float, bytes | bytearray | memoryview[int] | str | int | float] = {
            "tenant": tenant,
            "name": name,
            "scopes": json.dumps(list(scopes)),
            "limits": limits.model_dump_json(exclude_none=True),
            "created_at": created,
        }
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(PREFIX + digest, mapping=fields)
            pipe.zadd(INDEX, {digest: 0})
            await pipe.execute()
        return KeyInfo(id=key_id(digest), tenant=tenant, name=name, scopes=list(scopes), limits=limits, created_at=created)

    async def _record(self, digest: str) -> KeyInfo | None:
        raw = await cast("Awaitable[dict[bytes, bytes]]", self.redis.hgetall(PREFIX + digest))
        if not raw:
            return None
        fields = {name.decode(): value.decode() for name, value in raw.items()}
        return KeyInfo.model_validate(
            {**fields, "id": key_id(digest), "scopes": json.loads(fields["scopes"]), "limits": json.loads(fields["limits"])}
        )


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="counterfoil"'}


async def authenticate(connection: HTTPConnection, scope: Scope, keys: Keys) -> Principal:
    """Who is asking, if they may `scope`. Reads raw headers only: this is on the path of every submit.

    Raises Problem 401 without a known key, 403 where the key lacks the scope (RFC 6750, section 3), 429 over the key's rate limit.
    """
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            kind, _, key = value.partition(b" ")
            principal = await keys.principal(key.strip()) if kind.lower() == b"bearer" else None
            break
    else:
        raise Problem("unauthenticated", "send your key as 'Authorization: Bearer cf_…'", headers=_CHALLENGE)
    if principal is None:
        headers = {"WWW-Authenticate": 'Bearer realm="counterfoil", error="invalid_token"'}
        raise Problem("unauthenticated", "this key is not known here; it may have been revoked", headers=headers)
    if scope not in principal.scopes:
        headers = {"WWW-Authenticate": f'Bearer realm="counterfoil", error="insufficient_scope", scope="{scope}"'}
        raise Problem("forbidden", f"this key lacks the scope {scope!r}; it has {', '.join(sorted(principal.scopes))}", headers=headers)
    if principal.limits.requests_per_minute is not None:
        await spend(keys.redis, connection, principal.key_id, principal.limits.requests_per_minute)
    return principal


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())
