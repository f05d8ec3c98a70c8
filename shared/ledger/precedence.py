"""Who goes first, asked by a job that is at work; pauses."""

from collections.abc import Sequence

from shared.ledger.calls import Answer, Call


def outranked(job_id: str, queues: Sequence[str]) -> Call[bool]:
    """Does a job wait in one of these queues whose turn would come if a worker were free? Or is this one paused, or its parent?"""
    return Call("outranked", (job_id, *queues), lambda reply: bool(int(reply)))


def pause(job_id: str, tenant: str) -> Call[Answer]:
    """No attempt of this job or of its children begins until it is resumed. Answers: ok (state), done (state), unknown."""
    return Call("pause", (job_id, tenant), lambda reply: Answer(*reply))


def resume(job_id: str, tenant: str) -> Call[Answer]:
    """End a pause, if there is one. Answers: ok (state), done (state), unknown."""
    return Call("resume", (job_id, tenant), lambda reply: Answer(*reply))
