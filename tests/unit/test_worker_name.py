"""A worker's name is new with every start."""

from shared.runtime.runtime import worker_name


def test_a_restarted_worker_does_not_take_its_predecessors_name() -> None:
    """L2: in a container host and pids are the same after a restart; under the same name the dead one's jobs would be renewed for ever."""
    first, second = worker_name("avatar"), worker_name("avatar")

    assert first != second
    assert first.startswith("avatar@")
