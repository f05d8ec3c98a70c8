"""What a message that RabbitMQ gave up on looks like as a dead letter; what Celery would not notice in a message."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared.bus import headers
from shared.runtime.intake import why_unfit
from shared.runtime.reconciler import given_up

HEAD = headers("probe.act.v1", "probe_1")


def message(body: Any = "hello") -> Any:
    """As kombu brings it."""
    return SimpleNamespace(body=body, content_type="text/plain", properties={"message_id": None})


def deaths(at: datetime) -> dict[str, Any]:
    """RabbitMQ's header, with a time in it, which JSON does not have."""
    return {"task": "probe.act.v1", "x-death": [{"reason": "delivery_limit", "queue": "probe", "time": at}]}


def test_a_message_that_comes_twice_is_one_dead_letter() -> None:
    """Its id comes from the message; another time of death is another message."""
    noon, later = datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 13, tzinfo=UTC)
    first, again, other = (given_up("probe", message(), deaths(at)) for at in (noon, noon, later))

    assert first == again
    assert first[0] != other[0]
    assert first[0].startswith("probe_")
    assert 26 == len(first[0].removeprefix("probe_"))


def test_the_brokers_reason_is_told() -> None:
    """With the queue, the kind and the message as it came in."""
    _, entry = given_up("probe", message(b"\xff"), deaths(datetime(2026, 11, 22, tzinfo=UTC)))

    assert ("rejected_by_broker", "probe.act.v1") == (entry["reason"], entry["kind"])
    assert "the broker gave up on it: delivery_limit, queue probe" == entry["error"]["detail"]
    assert "\\xff" == entry["message"]["body"]


@pytest.mark.parametrize("x_death", [None, [], "soon", [17], [{}]])
def test_a_strange_header_is_survived(x_death: Any) -> None:
    """Anybody may write an x-death header."""
    _, entry = given_up("probe", message(), {"x-death": x_death})

    assert entry["error"]["detail"].startswith("the broker gave up on it: it did not say why")


def test_our_own_message_fits() -> None:
    """Nothing is wrong with what the bus makes."""
    assert why_unfit(HEAD, [[{"id": "x"}], {}, {"callbacks": None}]) == ""


@pytest.mark.parametrize(
    ("head", "payload", "told"),
    [
        (None, [[], {}, {}], "it names no task"),
        ({}, [[], {}, {}], "it names no task"),
        ({"task": "x"}, [[], {}, {}], "it has no id"),
        ({**HEAD, "timelimit": "soon"}, [[], {}, {}], "its time limits are not two numbers"),
        ({**HEAD, "timelimit": [1, "x"]}, [[], {}, {}], "its time limits are not two numbers"),
        (HEAD, "text", "its body is not [args, kwargs, embed]"),
        (HEAD, None, "its body is not [args, kwargs, embed]"),
        (HEAD, 17, "its body is not [args, kwargs, embed]"),
        (HEAD, [{}, [], 5], "its body is not [args, kwargs, embed]"),
        (HEAD, [[], {}], "its body is not [args, kwargs, embed]"),
    ],
)
def test_what_celery_would_not_notice_is_told(head: Any, payload: Any, told: str) -> None:
    """Each of these loses the message in a pool child, or ends the worker's loop."""
    assert told == why_unfit(head, payload)
