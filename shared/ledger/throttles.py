"""Rates and crowds that all processes of a service share: nobody is faster than, and nobody is too many at once.

They lie in the ledger under its clock. A rate that is not asked for any more is forgotten after ten seconds.
"""

from collections.abc import Sequence

from shared.job import Grant, Rate
from shared.ledger.calls import Arg, Call


def slots(requests: Sequence[Sequence[Rate]], *, horizon: float) -> Call[list[Grant]]:
    """A slot for each request (one rate at least), `horizon` seconds ahead at most, or how long to wait before asking again."""
    args: list[Arg] = [int(horizon * 1000)]
    for rates in requests:
        args.append(len(rates))
        for rate in rates:
            args += [rate.name, f"{1000 / rate.per_second:.6f}"]

    def parse(reply: Sequence[int]) -> list[Grant]:
        pairs = zip(reply[::2], reply[1::2], requests, strict=True)
        return [Grant(int(wait) >= 0, abs(int(wait)) / 1000, rates[int(binding)]) for wait, binding, rates in pairs]

    return Call("pace", tuple(args), parse)


def crowd(name: str, *, halve: bool = False, more: float = 0.0) -> Call[float]:
    """The share of `name` that each may have (1: all); `halve` it, or add to it."""
    return Call("crowd", (name, int(halve), more), float)
