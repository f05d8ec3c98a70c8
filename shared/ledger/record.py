"""A job as the ledger keeps it: the hash of one job, parsed. Times are Unix milliseconds; None where not (yet) so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from shared.contracts.base import Artifact, Blob
from shared.contracts.states import TERMINAL, State


def loaded(text: str) -> Any:
    """JSON's value; None for an absent field."""
    return json.loads(text) if text else None


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A flat HGETALL reply as a mapping."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _int(value: str | None) -> int | None:
    return int(float(value)) if value else None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. `fields` is the raw hash; the properties below are what readers need of it."""

    id: str
    fields: Mapping[str, str]
    attempts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, job_id: str, flat: Sequence[str], attempts: Sequence[str] = ()) -> Self | None:
        """None for an empty hash: there is no such job."""
        return cls(job_id, pairs(flat), tuple(json.loads(line) for line in attempts)) if flat else None

    def text(self, name: str) -> str:
        """A field, '' where absent."""
        return self.fields.get(name, "")

    def json(self, name: str) -> Any:
        """A JSON field, None where absent."""
        raw = self.fields.get(name)
        return json.loads(raw) if raw else None

    def number(self, name: str) -> int:
        """An integer field, 0 where absent."""
        return _int(self.fields.get(name)) or 0

    def time(self, name: str) -> int | None:
        """A time field in ms, None where absent."""
        return _int(self.fields.get(name))

    @property
    def state(self) -> State:
        """Where the job is."""
        return State(self.fields["state"])

    @property
    def done(self) -> bool:
        """True in the four terminal states."""
        return self.state in TERMINAL

    @property
    def kind(self) -> str:
        """The versioned kind of its command."""
        return self.fields["kind"]

    @property
    def tenant(self) -> str:
        """Whose job it is."""
        return self.fields["tenant"]

    @property
    def token(self) -> int:
        """The fencing token of the last claim."""
        return self.number("token")

    @property
    def carrier(self) -> dict[str, str]:
        """The W3C trace context of the request that made the job."""
        return self.json("trace") or {}

    @property
    def inputs(self) -> dict[str, Blob]:
        """The uploads that the command names, by their id."""
        return {name: Blob.model_validate(blob) for name, blob in (self.json("inputs") or {}).items()}

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """What the job made, once it succeeded."""
        return tuple(Artifact.model_validate(item) for item in self.json("artifacts") or [])


def legible_json(value: Mapping[str, Any]) -> str:
    """JSON that the scripts can read: bytes that were no text (lone surrogates, as in a file's name or a broken upload) become `?`.

    Lua's cjson refuses them, and with them the outcome of the job.
    """
    return json.dumps(dict(value), ensure_ascii=False).encode("utf-8", "replace").decode()
