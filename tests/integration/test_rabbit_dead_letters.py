"""What RabbitMQ itself gives up on ends in the ledger's dead letters, or nowhere where the ledger knows better."""

from collections.abc import Iterator

import amqp
import pytest

from shared.contracts.states import State
from shared.ledger import dead
from shared.ledger.dead import DeadLetter
from tests.probe.rig import Rig
from tests.rabbits import Rabbit
from tests.servers import redis_server, running, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def broker(rabbit_server: Rabbit) -> Rabbit:
    """A RabbitMQ that holds nothing of the probe's."""
    rabbit_server.empty("probe")
    return rabbit_server


@pytest.fixture(scope="module")
def rig(broker: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The probe, with one worker that takes urgent messages only: the others are ours to give up on."""
    with running(redis_server(tmp_path_factory.mktemp("ledger"))) as ledger:
        rig = Rig(f"redis://127.0.0.1:{ledger.port}/0", tmp_path_factory.mktemp("probe"), broker=broker.url)
        with rig.worker(concurrency=1, queues="probe.high"):
            yield rig
        rig.ledger.close()


def give_up(broker: Rabbit, *, queue: str = "probe", times: int = 1) -> None:
    """Take the next message and refuse it for good, or hand it back until the broker has had enough."""
    channel = broker.channel()
    wait_until(lambda: broker.depth(queue) > 0, "a message waits")
    for round_ in range(times):
        message = channel.basic_get(queue)
        assert message is not None, f"gone after {round_} deliveries"
        channel.basic_reject(message.delivery_tag, requeue=times > 1)
    channel.connection.close()


def stranger(broker: Rabbit, text: str, **properties: object) -> None:
    """A message of nobody's job."""
    channel = broker.channel()
    channel.basic_publish(amqp.Message(text, content_type="text/plain", **properties), routing_key="probe")
    channel.connection.close()


def newest(rig: Rig, text: str) -> DeadLetter | None:
    """The newest dead letter, if it has `text` in it."""
    page = rig.ledger.run(dead.page(most=1))
    return page[0] if page and text in str(page[0].entry) else None


@pytest.mark.parametrize(("why", "times"), [("rejected", 1), ("delivery_limit", 21)])
def test_a_strangers_message_is_one_dead_letter(rig: Rig, broker: Rabbit, why: str, times: int) -> None:
    """Refused, or delivered too often: it is buried with the broker's own reason, as it came in, and is gone from the broker."""
    stranger(broker, f"hello {why}")
    give_up(broker, times=times)
    wait_until(lambda: newest(rig, f"hello {why}") is not None, "it is in the dead letters")
    letter = newest(rig, f"hello {why}")

    assert letter is not None
    assert "rejected_by_broker" == letter.reason
    assert f"the broker gave up on it: {why}, queue probe" == letter.entry["error"]["detail"]
    assert (f"hello {why}", "text/plain") == (letter.entry["message"]["body"], letter.entry["message"]["content_type"])
    wait_until(lambda: broker.depth("probe.dlq") == 0, "it is gone from the broker")


def test_a_message_that_outlives_its_time_is_one_dead_letter(rig: Rig, broker: Rabbit) -> None:
    """A message with a time to live of its own."""
    stranger(broker, "hello ttl", expiration="50")
    wait_until(lambda: newest(rig, "hello ttl") is not None, "it is in the dead letters", seconds=30)
    letter = newest(rig, "hello ttl")

    assert letter is not None
    assert "the broker gave up on it: expired, queue probe" == letter.entry["error"]["detail"]


def test_a_live_jobs_message_is_no_dead_letter(rig: Rig, broker: Rabbit) -> None:
    """L3: the ledger has the job, so that it is rung again, and done."""
    before = rig.stats()["dead_letters"]
    job = rig.submit(what="work", at_once=True)
    give_up(broker)
    wait_until(lambda: broker.depth("probe") > 0, "it is rung again", seconds=30)
    with rig.worker(concurrency=1, queues="probe"):
        done = rig.wait(job)

    assert (State.SUCCEEDED, 1, before) == (done.state, rig.did(job), rig.stats()["dead_letters"])


def test_queues_that_somebody_deleted_are_made_again(rig: Rig, broker: Rabbit) -> None:
    """L3: also those that no worker consumes at the moment; a job whose message went to none of them is rung again, and done."""
    broker.delete("probe")
    job = rig.submit(what="work", priority="low", at_once=True)
    wait_until(lambda: broker.depth("probe.low") > 0, "the queue is there again, and the message", seconds=30)
    with rig.worker(concurrency=1, queues="probe.low"):
        done = rig.wait(job)

    assert (State.SUCCEEDED, 1) == (done.state, rig.did(job))
