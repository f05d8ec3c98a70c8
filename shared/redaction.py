"""Masks secrets in log lines always, and mail addresses above debug level. One structlog processor and the pure functions in it.

A last line of defence: whoever logs must not hand secrets over. It works by names (`password=…`) and shapes (`Bearer …`, `scheme://user:pass@`).
Repeats in the patterns are bounded or end at the first odd character: a hostile text costs time in proportion to its length.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"
_SENSITIVE = frozenset(
    {"authorization", "password", "passwd", "passphrase", "secret", "token", "apikey", "cookie", "credential", "credentials"}
)
_SENSITIVE_PAIRS = ("api_key", "access_key", "private_key", "secret_key", "signing_key")
_SEPARATORS = re.compile(r"[-_.\s]+")
_URL_USER = re.compile(r"(://)[^\s/?#\"'<>]+@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_PAIR = re.compile(
    r"(?i)((?:password|passwd|secret|token|api[-_]?key|authorization|signature)(?:[-_]key)?[\"']?\s{0,4}[=:]\s{0,4}[\"']?)"
    r"(?!Bearer\b|Basic\b)[^\s\"'&,;]+"
)
_ADDRESS = re.compile(r"\w[\w.!#$%&'*+/=?^`{|}~-]{0,63}@((?:[\w-]{1,63}\.){1,8}[\w-]{2,63})")
_DEPTH = 5

Scrub = Callable[[str], str]


def redactor(*, addresses: bool) -> Processor:
    """The processor that masks secrets in every value, however deep, and mail addresses too where `addresses` says so."""

    def both(text: str) -> str:
        return without_addresses(without_secrets(text))

    scrub = both if addresses else without_secrets

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if type(value) is not int:  # the commonest value that needs no look
                event[key] = _scrubbed(key, value, scrub, _DEPTH)
        return event

    return redact


def without_secrets(text: str) -> str:
    """`text` with credentials in URLs, bearer tokens and `password=…` pairs masked.

    >>> without_secrets("relay smtp://me:pw@mail.example.com:587 refused")
    'relay smtp://***@mail.example.com:587 refused'
    """
    if "@" in text and "://" in text:
        text = _URL_USER.sub(rf"\1{MASK}@", text)
    if " " in text:
        text = _BEARER.sub(rf"\1 {MASK}", text)
    if "=" in text or ":" in text:
        text = _PAIR.sub(rf"\1{MASK}", text)
    return text


def without_addresses(text: str) -> str:
    """`text` with the local part of mail addresses masked; the domain stays, for it says which mail host has trouble.

    >>> without_addresses("550 no such user ada@example.com")
    '550 no such user ***@example.com'
    """
    return _ADDRESS.sub(rf"{MASK}@\1", text) if "@" in text else text


def _scrubbed(key: object, value: Any, scrub: Scrub, depth: int) -> Any:
    """`value` scrubbed; `key` is the name it goes by."""
    if isinstance(value, str):
        return MASK if _is_sensitive(key) else scrub(value)
    if isinstance(value, bool | int | float) or value is None:
        return value  # a fencing token is a number, and no secret
    if _is_sensitive(key):
        return MASK
    if depth > 0 and isinstance(value, Mapping):
        return {inner: _scrubbed(inner, entry, scrub, depth - 1) for inner, entry in value.items()}
    if depth > 0 and isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(key, entry, scrub, depth - 1) for entry in value]
    return scrub(str(value))


@lru_cache(maxsize=1_024)
def _is_sensitive(key: object) -> bool:
    words = _SEPARATORS.sub("_", str(key).lower())
    return any(pair in words for pair in _SENSITIVE_PAIRS) or not _SENSITIVE.isdisjoint(words.split("_"))
