"""Sending a round of canaries, in one step with a look at what the queues hold."""

from collections.abc import Sequence

from shared.ledger.calls import Arg, Call
from shared.ledger.hearing import GAP

Round = tuple[str, int, int, str]
"""A queue's name, messages in the broker (-1: the script counts them), listeners, bell ('' where the broker is another server)."""


def ring(every: float, queues: Sequence[Round]) -> Call[list[tuple[str, int]]]:
    """A round; `every`: seconds between rounds; `queues`: most urgent first.

    Answers how many canaries to publish in which queue, where the broker is another server; else the script did it.
    """
    args: list[Arg] = [int(every * GAP * 1_000)]
    for queue in queues:
        args += queue
    return Call("canary", tuple(args), lambda reply: [(name, int(count)) for name, count in reply])
