"""The settings of a service's Celery app that its promises rest on."""

from typing import Any

import pytest
from celery.schedules import crontab

from shared.bus import DAY
from shared.policy import Policy
from shared.runtime.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from shared.worker import settings
from tests.probe.contract import CONTRACT


def celery_settings(broker: str = "redis://127.0.0.1:6379/0", *, policy: Policy | None = None, **fields: Any) -> dict[str, Any]:
    """The probe's settings over this broker."""
    own = ServiceSettings(redis_url="redis://127.0.0.1:6379/0", broker_url=broker, **fields)
    service = Service(CONTRACT, policy or Policy(), own, {})
    return settings(service, Runtime(service))


RARE = ("probe.rare.high", "probe.rare", "probe.rare.low")
BROKERS = ("redis://127.0.0.1:6379/0", "amqp://127.0.0.1//")


@pytest.mark.parametrize("broker", BROKERS)
def test_json_only(broker: str) -> None:
    """Nothing but JSON is written or read: a pickle is a program."""
    made = celery_settings(broker)

    assert (made["task_serializer"], made["accept_content"]) == ("json", ["json"])


@pytest.mark.parametrize("broker", BROKERS)
def test_ledger_is_the_only_truth(broker: str) -> None:
    """No results in Celery; messages are acknowledged early; Celery neither redelivers nor retries a lost job."""
    made = celery_settings(broker)

    assert made["result_backend"] is None
    assert made["task_ignore_result"]
    assert not made["task_acks_late"]
    assert not made["task_reject_on_worker_lost"]
    assert not made["worker_cancel_long_running_tasks_on_connection_loss"]


@pytest.mark.parametrize("broker", BROKERS)
def test_worker_takes_one_message_at_a_time(broker: str) -> None:
    """A hoarded message waits behind a long job; only Redis can be told not to prefetch even one."""
    made = celery_settings(broker)

    assert made["worker_prefetch_multiplier"] == 1
    assert broker.startswith("redis") == made["worker_disable_prefetch"]


def test_visibility_is_a_day() -> None:
    """In the app and in the transport, or one of them redelivers for all."""
    made = celery_settings()

    assert DAY == made["visibility_timeout"] == made["broker_transport_options"]["visibility_timeout"]


def test_soft_limit_comes_before_the_hard_one() -> None:
    """Both are the policy's."""
    made = celery_settings(policy=Policy(soft_time_limit=10.0, hard_time_limit=20.0))

    assert (made["task_soft_time_limit"], made["task_time_limit"]) == (10.0, 20.0)
    assert Policy().soft_time_limit < Policy().hard_time_limit


def test_children_are_replaced_as_the_policy_says() -> None:
    """After so many jobs, or above so much memory; with time enough to load their models."""
    policy = Policy(max_tasks_per_child=7, max_memory_per_child=123_000, proc_alive_timeout=42.0, grace=3.0)
    made = celery_settings(policy=policy)

    assert (made["worker_max_tasks_per_child"], made["worker_max_memory_per_child"]) == (7, 123_000)
    assert (made["worker_proc_alive_timeout"], made["worker_soft_shutdown_timeout"]) == (42.0, 3.0)
    assert made["worker_enable_soft_shutdown_on_idle"]


def test_concurrency_is_the_policys_unless_set() -> None:
    """PROBE_CONCURRENCY goes before the policy."""
    assert celery_settings(policy=Policy(concurrency=3))["worker_concurrency"] == 3
    assert celery_settings(policy=Policy(concurrency=3), concurrency=5)["worker_concurrency"] == 5


def test_queues_by_priority() -> None:
    """A worker knows the service's queues and those of its needs, and makes no others."""
    made = celery_settings()

    assert ["probe.high", "probe", "probe.low", *RARE] == [queue.name for queue in made["task_queues"]]
    assert made["task_default_queue"] == "probe"
    assert not made["task_create_missing_queues"]


def test_rabbitmq_queues_survive_and_dead_letter() -> None:
    """On RabbitMQ they are quorum queues whose dead letters go to the service's own queue."""
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "probe.dlq",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 20,
    }

    assert [arguments] * 6 == [queue.queue_arguments for queue in celery_settings("amqp://127.0.0.1//")["task_queues"]]
    assert [None] * 6 == [queue.queue_arguments for queue in celery_settings()["task_queues"]]


def test_upkeep_is_scheduled() -> None:
    """Every service sweeps early each morning and measures its queues every 15 minutes, in UTC."""
    made = celery_settings()

    assert {
        "probe.sweep.v1": {"task": "probe.sweep.v1", "schedule": crontab(minute="30", hour="3")},
        "probe.measure.v1": {"task": "probe.measure.v1", "schedule": crontab(minute="*/15")},
    } == made["beat_schedule"]
    assert (made["timezone"], made["enable_utc"]) == ("UTC", True)
