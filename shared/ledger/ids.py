"""Job ids: the service's name, an underscore, a ULID (https://github.com/ulid/spec): sortable by time, unguessable enough.

Ids of one process sort in the order they were made, even within a millisecond or when the clock is set back: then the random
part is counted up. A forked child starts from randomness of its own, or two children would count up to the same id.
"""

import os
import threading
import time

SYSTEM_TENANT = "system"
"""The tenant that upkeep jobs belong to: users do not see them among theirs."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last = [0, 0]


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may have held it at the fork, and nobody here will ever release it
    _lock = threading.Lock()
    _last[:] = [0, 0]


os.register_at_fork(after_in_child=_after_fork)


def _encode(value: int, length: int) -> str:
    out = []
    for _ in range(length):
        out.append(ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


def ulid(now_ms: int | None = None) -> str:
    """26 characters of Crockford's base 32: 48 bits of time, 80 of randomness."""
    with _lock:
        now = max(time.time_ns() // 1_000_000, _last[0]) if now_ms is None else now_ms
        _last[1] = _last[1] + 1 if now == _last[0] else int.from_bytes(os.urandom(10)) >> 1
        _last[0] = now
        return _encode(now, 10) + _encode(_last[1], 16)


def new(service: str) -> str:
    """A new job id of this service."""
    return f"{service}_{ulid()}"


def of_digest(service: str, digest: bytes) -> str:
    """An id for what is told by its bytes alone: the same `digest` (16 bytes or more) is the same id."""
    return f"{service}_{_encode(int.from_bytes(digest[:16]), 26)}"


def service_of(job_id: str) -> str:
    """The service that a job id belongs to: that is where to look it up."""
    return job_id.partition("_")[0]
