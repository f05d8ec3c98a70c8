"""docs/asyncapi.json is what the models say, names every queue and message, and every reference in it leads somewhere."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.contracts import asyncapi, release
from shared.bus import queues_of
from shared.cloud_events import cloud_event
from shared.contracts.envelope import Envelope
from shared.contracts.events import EventType, JobEvent
from shared.contracts.registry import contracts
from shared.ledger.record import JobRecord

DOCUMENT = json.loads(asyncapi.FILE.read_text(encoding="utf-8"))


def references(value: Any) -> Iterator[str]:
    """Every `$ref` anywhere in a JSON value."""
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(child)


def test_committed_document_is_what_the_models_say() -> None:
    """Whoever changes a message runs `make contracts`."""
    made = release.text(asyncapi.document(contracts(), release.version()))

    assert made == asyncapi.FILE.read_text(encoding="utf-8"), "run 'make contracts'"


def test_every_queue_is_a_channel() -> None:
    """Three queues by priority, three for each need, one of dead letters for each service, and the jobs' events."""
    queues = [queue for name, contract in contracts().items() for queue in (*queues_of(contract), f"{name}.dlq")]

    assert {*queues, "jobEvents"} == set(DOCUMENT["channels"])
    assert {"avatar.gpu.high", "avatar.gpu", "avatar.gpu.low"} < set(queues)
    assert queues == [DOCUMENT["channels"][queue]["address"] for queue in queues]


def test_every_command_and_event_is_a_message() -> None:
    """Each kind and each type of event once, with its route where users have one."""
    kinds = {kind: command for contract in contracts().values() for kind, command in contract.by_kind.items()}
    messages = DOCUMENT["components"]["messages"]

    assert {*kinds, *map(str, EventType)} == set(messages)
    assert {kind: f"/v1/{command.route}" if command.route else None for kind, command in kinds.items()} == {
        kind: messages[kind]["x-route"] for kind in kinds
    }


def test_references_lead_somewhere() -> None:
    """A name that two models share would be written otherwise by pydantic, and leave a reference dangling."""
    found = set(references(DOCUMENT))

    assert len(found) > len(DOCUMENT["components"]["messages"])
    for reference in found:
        place = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def test_event_is_what_the_gateway_tells() -> None:
    """The document's CloudEvent has the fields that the gateway writes, no more and no less."""
    written = DOCUMENT["components"]["schemas"]["CloudEvent"]
    record = JobRecord("avatar_1", {"kind": "avatar.generate.v1", "trace": '{"traceparent": "00-1-2-01"}'})
    told = cloud_event(record.id, record.kind, record.carrier, JobEvent(seq=1, type=EventType.ACCEPTED, time=0))

    assert set(written["properties"]) == set(told)
    assert {*written["required"], "traceparent"} == set(told)
    assert set(written["properties"]["data"]["properties"]) == set(told["data"])


@pytest.mark.parametrize(
    "kind", [kind for contract in contracts().values() for kind, command in contract.by_kind.items() if command.examples]
)
def test_examples_are_messages(kind: str) -> None:
    """Each example is an envelope that a worker would take, around a request that the gateway would."""
    command = contracts()[kind.partition(".")[0]].by_kind[kind]
    examples = DOCUMENT["components"]["messages"][kind]["examples"]

    assert len(command.examples) == len(examples)
    for example in examples:
        envelope = Envelope.model_validate(example["payload"][0][0])
        command.model_validate(envelope.command, extra="forbid")
        assert (kind, envelope.id) == (example["headers"]["task"], example["headers"]["id"])
