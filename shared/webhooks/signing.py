"""Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): the three headers by which a receiver knows who speaks. Pure."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence

PREFIX = "whsec_"
LENGTH = 32
"""Bytes of a secret; the standard wants 24 to 64."""


def new_secret() -> str:
    """A secret, as a receiver gets it."""
    return PREFIX + base64.b64encode(os.urandom(LENGTH)).decode()


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()).decode()


def headers(secrets: Sequence[str], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers for this attempt: `message` stays the same in all of them, `timestamp` (Unix seconds) is its own.

    Several secrets, while one takes over from another, are several signatures: a receiver is content with any that it can check.
    """
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message, timestamp, body) for secret in secrets),
    }
