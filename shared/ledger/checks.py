"""What a service stands on besides its ledger (storage, a mail relay, binaries): how its workers found it when they last looked."""

from dataclasses import dataclass
from typing import Any

from shared.ledger.calls import Answer, Call
from shared.ledger.record import pairs


@dataclass(frozen=True, slots=True)
class Check:
    """`problem` says what is wrong and what to do; '' where all is well. `at`: Unix ms."""

    name: str
    problem: str
    at: int


def note(name: str, problem: str) -> Call[Answer]:
    """Write down what a look found."""
    return Call("note", (name, problem), lambda reply: Answer(reply[0]))


def noted() -> Call[list[Check]]:
    """The last look at each thing, by name."""
    return Call("noted", (), _read)


def _read(reply: Any) -> list[Check]:
    found = {name: value.partition(" ") for name, value in pairs(reply).items()}
    return [Check(name, problem, int(at)) for name, (at, _, problem) in sorted(found.items())]
