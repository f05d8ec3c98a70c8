"""`job.once` and `job.effects`: intent before a side effect, done after it, so that a later run knows what an earlier one did.

What a SIGKILL between the two leaves behind is *unknown*, and only the handler can ask the other side. No journal can do
better: the effect and the note of it lie on two machines.

A run that was frozen while it waited for the answer to its intent would read, when it wakes, a word that is long untrue. So an answer
counts only while the lease must still hold; an older one is asked for again, and the ledger then refuses it. (The caution
is Kleppmann's, "How to do distributed locking", 2016: a lease that was checked may be over when it is used. What is
frozen between this check and its effect, only the other side can catch.)
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

from pydantic_core import PydanticSerializationError, to_json

from shared.errors import UnavailableError
from shared.job import Note, Once
from shared.ledger import effects
from shared.ledger.calls import Answer, Call
from shared.ledger.posted import Posted

LONGEST_KEY = 200
LARGEST_VALUE = 8_192
"""Bytes of JSON: a journal keeps receipts, not results."""


def elapsed() -> float:
    """Seconds on a clock that goes on while the process or the machine sleeps (Linux), or while the process does (elsewhere)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextmanager
def once(run: Callable[[Call[Answer]], Answer], job_id: str, token: int, key: str, *, fresh: float) -> Iterator[Once]:
    """See `shared.job.Job.once`. `run` waits out a ledger that is being restarted; an answer is good for `fresh` seconds."""
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"a journal key has 1 to {LONGEST_KEY} characters, not {len(key)}")
    nonce = uuid.uuid4().hex
    found = _begin(run, effects.begin(job_id, token, key, nonce=nonce), fresh)
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


def _begin(run: Callable[[Call[Answer]], Answer], begin: Call[Answer], fresh: float) -> Answer:
    """The answer to the intent, no older than `fresh`. Asked again, the ledger finds this try's own intent: the first word stands."""
    asked = elapsed()
    first = run(begin)
    while elapsed() - asked > fresh:
        asked = elapsed()
        run(begin)
    return first


def _value(text: str) -> Any:
    return json.loads(text) if text else None


class Journal:
    """Implements `shared.job.Effects`. `run` waits out a ledger that is being restarted; an answer is good for `fresh` seconds."""

    def __init__(
        self, run: Callable[[Call[Any]], Any], job_id: str, token: int, *, fresh: float, post: Callable[[Call[Any]], Posted[Any]]
    ) -> None:
        self._run = run
        self._post = post
        self._id = job_id
        self._token = token
        self._fresh = fresh

    def known(self) -> Mapping[str, Once]:
        """All that earlier runs noted."""
        return as_kept(self._run(effects.known(self._id, self._token)))

    def note(self, notes: Sequence[Note]) -> None:
        """One atomic step; said again where the answer is so old that the lease may have run out meanwhile."""
        call = self._call(notes)
        asked = elapsed()
        done = self._run(call)
        while elapsed() - asked > self._fresh:
            asked = elapsed()
            done = self._run(call)
        _refuse(done)

    def post(self, notes: Sequence[Note]) -> "PostedNotes":
        """Sent, and not waited for."""
        return PostedNotes(self._post(self._call(notes)), self._fresh)

    def _call(self, notes: Sequence[Note]) -> Call[list[str]]:
        return effects.note(self._id, self._token, [(note.key, note.word, _text(note)) for note in notes])


class PostedNotes:
    """Implements `shared.job.Noting`."""

    def __init__(self, posted: Posted[list[str]], fresh: float) -> None:
        self._posted = posted
        self._until = elapsed() + fresh
        self.fileno = posted.fileno
        self.drop = posted.drop

    def answer(self) -> None:
        """An answer so old that the lease may have run out meanwhile is none."""
        done = self._posted.answer()
        if elapsed() > self._until:
            raise UnavailableError("ledger", "the ledger's answer is too old to go by")
        _refuse(done)


def _refuse(done: Sequence[str]) -> None:
    if done:
        raise ValueError(f"{len(done)} effects were to begin that are done; look at known() first")


def _text(note: Note) -> str:
    if not 0 < len(note.key) <= LONGEST_KEY:
        raise ValueError(f"a journal key has 1 to {LONGEST_KEY} characters, not {len(note.key)}")
    if note.value is None and note.word != "done":
        return ""
    value = _json(note.value)
    if len(value) > LARGEST_VALUE:
        raise ValueError(f"a journal keeps at most {LARGEST_VALUE} bytes for a key, not {len(value)}: keep a name, not the thing")
    return value


def _json(value: Any) -> str:
    """A quarter of the time that `json` takes, where a group has thirty notes."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # half of a surrogate pair, which `json` writes as an escape
        return json.dumps(value)


def as_kept(journal: Mapping[str, str]) -> Mapping[str, Once]:
    """The journal's lines as what they mean to the next run."""
    found: dict[str, Once] = {}
    for key, line in journal.items():
        word, _, value = line.partition(" ")
        if word == "intent":
            found[key] = Once("unknown", _value(value.partition(" ")[2]))
        else:
            found[key] = Once(cast("Literal['open', 'done']", word), _value(value))
    return found
