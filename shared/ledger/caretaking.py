"""What a service's upkeep says to the ledger about jobs that are done: another artifact in an old one's place, and counts."""

from collections.abc import Mapping

from shared.ledger.calls import Answer, Arg, Call


def replace(job_id: str, before: str, after: str) -> Call[Answer]:
    """Put `after` in the place of a done job's artifacts `before`, both as JSON. Answers: ok, changed (nothing was written)."""
    return Call("replace", (job_id, before, after), lambda reply: Answer(reply[0]))


def tally(counts: Mapping[str, int]) -> Call[Answer]:
    """Add to the service's counters."""
    args: list[Arg] = [item for name, by in counts.items() for item in (name, by)]
    return Call("tally", tuple(args), lambda reply: Answer(reply[0]))
