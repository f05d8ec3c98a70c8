"""What a broker may do to its messages, and what others may put into it, on every broker."""

import json
import pickle
from typing import Any

import pytest

from shared.bus import envelope_text, headers
from shared.contracts.states import State
from shared.ledger import calls, dead, ids
from tests.conformance.brokers import Broker
from tests.probe.rig import KIND, Rig
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240), pytest.mark.usefixtures("worker")]
LOW = 1_000
UNKNOWN = "probe.unheard.v9"
NO_ENVELOPE = json.dumps([[{"id": "nonsense", "kind": KIND}], {}, {}])
MALFORMED: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("garbage", b"\xff\xfe\x00", "application/octet-stream", {}),
    ("no task", "{}", "application/json", {}),
    ("unknown kind", "[[], {}, {}]", "application/json", headers(UNKNOWN, "x")),
    ("a pickle", pickle.dumps([[], {}, {}]), "application/x-python-serialize", headers(KIND, "x")),
    ("body is not JSON", "not json", "application/json", headers(KIND, "x")),
    ("body is no task's", '"text"', "application/json", headers(KIND, "x")),
    ("body is null", "null", "application/json", headers(KIND, "x")),
    ("body is a number", "17", "application/json", headers(KIND, "x")),
    ("arguments of the wrong kind", "[{}, [], 5]", "application/json", headers(KIND, "x")),
    ("no envelope", NO_ENVELOPE, "application/json", headers(KIND, "x")),
    ("a time that is none", "[[], {}, {}]", "application/json", {**headers(KIND, "x"), "eta": 17}),
    ("limits that are none", "[[], {}, {}]", "application/json", {**headers(KIND, "x"), "timelimit": "soon"}),
    ("no id", "[[], {}, {}]", "application/json", {"task": KIND}),
]


@pytest.mark.parametrize(("body", "content_type", "head"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_a_malformed_message_is_one_dead_letter(rig: Rig, broker: Broker, body: Any, content_type: str, head: dict[str, Any]) -> None:
    """L8: buried once, as it came in; the worker goes on, and the queue is free."""
    before = rig.stats()["dead_letters"]
    broker.put(body, content_type=content_type, **head)
    wait_until(lambda: rig.stats()["dead_letters"] > before, "it is in the dead letters")
    done = rig.wait(rig.submit(what="work"))

    assert (State.SUCCEEDED, before + 1) == (done.state, rig.stats()["dead_letters"])
    assert "malformed" == rig.ledger.run(dead.page(most=1))[0].reason


def test_repeated_messages_run_a_job_once(rig: Rig, broker: Broker) -> None:
    """L3, L10: two more copies of each doorbell change nothing but a counter."""
    jobs = [rig.submit(what="work", seconds=0.1) for _ in range(10)]
    records = [rig.job(job) for job in jobs]
    bus = broker.bus()
    bus.ring(*records)
    bus.ring(*records)
    for job in jobs:
        rig.wait(job)

    assert [1] * 10 == [rig.did(job) for job in jobs]
    assert [["accepted", "started", "succeeded"]] * 10 == [rig.events(job) for job in jobs]


def test_an_emptied_broker_loses_no_job(rig: Rig, broker: Broker) -> None:
    """L3: with every waiting message thrown away, all jobs are done, once."""
    before = rig.stats()["counters"].get("rung_again", 0)
    jobs = [rig.submit(what="work", seconds=0.2, at_once=True) for _ in range(20)]
    rig.wait(jobs[0])
    broker.empty()
    done = [rig.wait(job) for job in jobs]

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 20 == [rig.did(job) for job in jobs]
    assert rig.stats()["counters"].get("rung_again", 0) > before


def test_a_message_for_no_job_is_dropped(rig: Rig, broker: Broker) -> None:
    """A doorbell that the ledger knows nothing of (a deleted job's) is counted, and no dead letter."""
    before = rig.stats()
    job = ids.new("probe")
    text = envelope_text(job_id=job, kind=KIND, epoch=1, tenant="t", request="{}", blob="", trace={})
    broker.bus().publish(text, kind=KIND, job_id=job, queue="probe")
    dropped = before["counters"].get("unknown_dropped", 0) + 1
    wait_until(lambda: rig.stats()["counters"].get("unknown_dropped", 0) == dropped, "it was dropped")

    assert before["dead_letters"] == rig.stats()["dead_letters"]


def test_a_high_job_overtakes_a_thousand_low_ones(rig: Rig) -> None:
    """Priority: no low job starts between a high one's acceptance and its start, but those that were in a child's hands."""
    low = [rig.submit(what="work", seconds=0.05, priority="low") for _ in range(LOW)]
    rig.wait(low[10])
    rig.wait(rig.submit(what="work", priority="high", at_once=True))  # this one connects, with low ones on board
    high = [rig.wait(rig.submit(what="work", priority="high", at_once=True)) for _ in range(5)]
    started = [int(rig.job(job).text("started") or 0) for job in low]
    overtaken = [sum(record.number("created") < at < record.number("started") for at in started) for record in high]
    for job in low:
        rig.ledger.run(calls.cancel(job, "t"))

    assert sum(at == 0 for at in started) > LOW / 2, "the low ones were still waiting"
    assert max(overtaken) <= 4, overtaken  # two children, each of which may have taken one or two before the message was there
