"""In which queue a command waits, by what it needs and by who listens."""

from typing import Any

import pytest

from shared.accepting import heard, queue_of
from shared.contracts.avatar import CONTRACT, GenerateAvatar

PLAIN = {"prompt": "a fox"}
MODEL = {**PLAIN, "engine": "diffusion"}
EITHER = {**MODEL, "degrade": True}
HIGH = {"options": {"priority": "high"}}


@pytest.mark.parametrize(
    ("body", "listened", "queue"),
    [
        (PLAIN, (), "avatar"),
        ({**PLAIN, **HIGH}, ("avatar.gpu.high",), "avatar.high"),
        (MODEL, (), "avatar.gpu"),
        ({**MODEL, **HIGH}, (), "avatar.gpu.high"),
        (EITHER, (), "avatar"),
        (EITHER, ("avatar.gpu.high",), "avatar"),
        (EITHER, ("avatar.gpu",), "avatar.gpu"),
        ({**EITHER, **HIGH}, ("avatar.gpu", "avatar.gpu.high"), "avatar.gpu.high"),
    ],
)
def test_a_need_has_its_queue_and_what_makes_do_goes_where_it_is_heard(
    body: dict[str, object], listened: tuple[str, ...], queue: str
) -> None:
    """The same for whoever submits: the gateway, a schedule."""
    assert queue == queue_of(CONTRACT, GenerateAvatar.model_validate(body), listened)


def test_who_is_leaving_is_not_counted_on() -> None:
    """A draining worker takes no more jobs."""
    workers: list[dict[str, Any]] = [
        {"queues": ["avatar"]},
        {"queues": ["avatar.gpu"], "draining": True},
        {"queues": ["avatar.low"], "draining": False},
    ]

    assert {"avatar", "avatar.low"} == set(heard(workers))
