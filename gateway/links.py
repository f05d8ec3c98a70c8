"""Signed links: an artifact's bytes for a browser, which cannot send a key, until a moment that the link names.

The signature is HMAC-SHA256 over everything that the link grants, each part on a line of its own (no part may have a
newline), so that no two grants have the same text.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

import redis.asyncio

from gateway.problems import Problem

SECRET_KEY = "cf:{gateway}:link-secret"  # noqa: S105 - a key's name
"""In the ledger, not in a file: every gateway of an installation must know the others' links."""


async def link_secret(client: redis.asyncio.Redis) -> bytes:
    """The installation's link secret, made by whoever asks first."""
    await client.set(SECRET_KEY, secrets.token_bytes(32), nx=True)
    found = await client.get(SECRET_KEY)
    if not isinstance(found, bytes):
        raise TypeError("the link secret must be bytes: the client decodes replies")
    return found


def sign_link(secret: bytes, job_id: str, name: str, expires: int) -> str:
    """The query string that opens artifact `name` of `job_id` until `expires` (Unix seconds)."""
    return urlencode({"expires": expires, "signature": _signature(secret, job_id, name, str(expires))})


def verify_link(secret: bytes, job_id: str, name: str, query: Mapping[str, str], *, now: float) -> None:
    """Return if the link is good; raises Problem 403 where it is forged or over. Takes the same time for any wrong signature."""
    expires = query.get("expires", "")
    good = hmac.compare_digest(_signature(secret, job_id, name, expires).encode(), query.get("signature", "").encode())
    if not good or not expires.isascii() or not expires.isdigit():
        raise Problem("forbidden", "this link is not one of ours, or was altered")
    if int(expires) < now:
        raise Problem("forbidden", "this link is over; ask for a new one")


def _signature(secret: bytes, job_id: str, name: str, expires: str) -> str:
    return hmac.new(secret, f"artifact\n{job_id}\n{name}\n{expires}".encode(), hashlib.sha256).hexdigest()
