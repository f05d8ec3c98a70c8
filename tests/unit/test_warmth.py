"""A parent knows which of its children are warm."""

import os

from shared.runtime.warmth import Warmth


def test_a_child_tells_its_parent_across_the_fork() -> None:
    """Before it does it is cold; a process that never said so is cold."""
    warmth = Warmth()
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(asked[0], 1)
        warmth.tell()
        os.write(answered[1], b"!")
        os._exit(0)
    before = warmth.count([child])
    os.write(asked[1], b"?")
    os.read(answered[0], 1)
    os.waitpid(child, 0)

    assert (0, 1) == (before, warmth.count([child, child + 1, os.getpid()]))
