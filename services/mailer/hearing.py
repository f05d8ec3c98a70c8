"""Answers of the ledger, awaited in the sending loop without a thread."""

import asyncio
from typing import TypeVar

from shared.job import Coming

T = TypeVar("T")
LONGEST = 10.0
"""Seconds to wait for an answer before it counts as none."""


async def heard(coming: Coming[T]) -> T:
    """Wait for the answer and take it. Raises what it raises, and UnavailableError after `LONGEST` seconds."""
    loop, answered = asyncio.get_running_loop(), asyncio.Event()
    descriptor = coming.fileno()
    loop.add_reader(descriptor, answered.set)
    timer = loop.call_later(LONGEST, answered.set)
    try:
        await answered.wait()
    except BaseException:
        loop.remove_reader(descriptor)
        coming.drop()
        raise
    finally:
        timer.cancel()
    loop.remove_reader(descriptor)
    return coming.answer()
