"""Who goes first, asked by a job that is at work."""

from collections.abc import Sequence

from shared.ledger.calls import Call


def outranked(queues: Sequence[str]) -> Call[bool]:
    """Does a job wait in one of these queues whose turn would come if a worker were free?"""
    return Call("outranked", tuple(queues), lambda reply: bool(int(reply)))
