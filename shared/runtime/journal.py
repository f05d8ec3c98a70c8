"""`job.once`: intent before a side effect, done after it, so that a later run knows what an earlier one did.

What a SIGKILL between the two leaves behind is *unknown*, and only the handler can ask the other side. No journal can do
better: the effect and the note of it lie on two machines.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

from shared.job import Once
from shared.ledger import effects
from shared.ledger.calls import Answer, Call

LONGEST_KEY = 200
LARGEST_VALUE = 8_192
"""Bytes of JSON: a journal keeps receipts, not results."""


@contextmanager
def once(run: Callable[[Call[Answer]], Answer], job_id: str, token: int, key: str) -> Iterator[Once]:
    """See `shared.job.Job.once`. `run` waits out a ledger that is being restarted."""
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"a journal key has 1 to {LONGEST_KEY} characters, not {len(key)}")
    nonce = uuid.uuid4().hex
    found = run(effects.begin(job_id, token, key, nonce=nonce))
    effect = Once(cast("Literal['open', 'unknown', 'done']", found.word), _value(found.detail))
    before = effect.fate
    try:
        yield effect
    except BaseException:
        if effect.withdrawn and before != "done":
            run(effects.withdraw(job_id, token, key, nonce=nonce))
        raise
    if before == "done":
        return
    if effect.withdrawn:
        run(effects.withdraw(job_id, token, key, nonce=nonce))
        return
    value = json.dumps(effect.value)
    if len(value) > LARGEST_VALUE:
        raise ValueError(f"a journal keeps at most {LARGEST_VALUE} bytes for a key, not {len(value)}: keep a name, not the thing")
    run(effects.done(job_id, token, key, nonce=nonce, value=value))


def _value(text: str) -> Any:
    return json.loads(text) if text else None
