"""What was once on the wire is read and written by today's models as it was then."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.bus import envelope_text
from shared.contracts.base import Command
from shared.contracts.envelope import Envelope
from shared.contracts.events import EventType, JobEvent
from shared.contracts.options import Options
from tests.contract.golden_messages import COMMANDS, GOLDEN, cases, fields_in, fields_of, read

CASES = [pytest.param(command, case, id=f"{command.kind}-{number}") for number, (command, case) in enumerate(cases())]
STRANGER = {"from_the_future": {"a": [1]}}


def test_every_kind_has_golden_messages() -> None:
    """A new kind comes with its golden file, and a golden file of a kind that is gone would be noticed."""
    files = {file.stem for file in GOLDEN.glob("*.json")}

    assert {*COMMANDS, "by-reference", "events"} == files


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_field_was_on_the_wire(kind: str) -> None:
    """A new field of a request or a result comes with a golden message that has it."""
    command = COMMANDS[kind]
    messages = (
        [command.model_validate(case["request"]) for case in read(kind)],
        [command.result.model_validate(case["result"]) for case in read(kind)],
    )
    silent = {*fields_of(command), *fields_of(command.result)} - {*fields_in(messages)}

    assert silent - (set() if command.route else {(command.__name__, "options"), *fields_of(Options)}) == set()


@pytest.mark.parametrize(("command", "case"), CASES)
def test_request_is_taken_as_users_send_it(command: type[Command], case: dict[str, Any]) -> None:
    """The gateway's strict reading accepts the request, and writes down what was sent and no more."""
    taken = command.model_validate_json(json.dumps(case["request"]), extra="forbid")

    assert case["request"] == json.loads(taken.model_dump_json(by_alias=True, exclude_unset=True))


@pytest.mark.parametrize(("command", "case"), CASES)
def test_envelope_is_written_as_it_lay_on_the_wire(command: type[Command], case: dict[str, Any]) -> None:
    """The same request makes the same envelope as then."""
    then = case["envelope"]
    request = command.model_validate(case["request"]).model_dump_json(by_alias=True, exclude_unset=True)
    now = envelope_text(
        job_id=then["id"], kind=command.kind, epoch=then["epoch"], tenant=then["tenant"], request=request, blob="", trace=then["trace"]
    )

    assert then == json.loads(now)
    assert then == json.loads(Envelope.model_validate_json(now).model_dump_json(exclude_unset=True))


@pytest.mark.parametrize(("command", "case"), CASES)
def test_worker_reads_what_the_gateway_took(command: type[Command], case: dict[str, Any]) -> None:
    """The command in the envelope is the command that the user sent."""
    envelope = Envelope.model_validate(case["envelope"])

    assert command.model_validate(case["request"]) == command.model_validate(envelope.command)


@pytest.mark.parametrize(("command", "case"), CASES)
def test_result_is_read_and_written_as_then(command: type[Command], case: dict[str, Any]) -> None:
    """Nothing of an old result is lost or changed on its way through today's model."""
    result = command.result.model_validate(case["result"])

    assert case["result"] == json.loads(result.model_dump_json(by_alias=True, exclude_unset=True))


@pytest.mark.parametrize(("command", "case"), CASES)
def test_reader_ignores_what_it_does_not_know(command: type[Command], case: dict[str, Any]) -> None:
    """A message of a newer release, with a field more at every level it can have one, is read as if it had none."""
    envelope = Envelope.model_validate({**case["envelope"], **STRANGER})

    assert Envelope.model_validate(case["envelope"]) == envelope
    assert command.model_validate(case["request"]) == command.model_validate({**case["request"], **STRANGER})
    assert command.result.model_validate(case["result"]) == command.result.model_validate({**case["result"], **STRANGER})


@pytest.mark.parametrize(("command", "case"), CASES)
def test_gateway_refuses_what_it_does_not_know(command: type[Command], case: dict[str, Any]) -> None:
    """Silently ignoring what a user asks for is not doing it."""
    with pytest.raises(ValidationError, match="from_the_future"):
        command.model_validate({**case["request"], **STRANGER}, extra="forbid")


@pytest.mark.parametrize("field", ["id", "kind", "epoch", "tenant"])
def test_identity_is_required(field: str) -> None:
    """An envelope that does not say whose it is, is malformed."""
    envelope = read("avatar.generate.v1")[0]["envelope"]
    del envelope[field]

    with pytest.raises(ValidationError) as refused:
        Envelope.model_validate(envelope)

    assert [((field,), "missing")] == [(error["loc"], error["type"]) for error in refused.value.errors()]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "avatar_01JD"),
        ("id", "avatar_01jd3q7y8m4c5n6p7r8s9t0vwx"),
        ("id", "avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX\n"),
        ("id", "../01JD3Q7Y8M4C5N6P7R8S9T0VWX"),
        ("kind", "avatar.generate"),
        ("kind", "avatar.generate.v0"),
        ("kind", "Avatar.generate.v1"),
        ("epoch", 0),
        ("epoch", None),
        ("tenant", None),
    ],
)
def test_malformed_identity_is_refused(field: str, value: Any) -> None:
    """An identity of the wrong form is no identity."""
    envelope = {**read("avatar.generate.v1")[0]["envelope"], field: value}

    with pytest.raises(ValidationError) as refused:
        Envelope.model_validate(envelope)

    assert [(field,)] == [error["loc"] for error in refused.value.errors()]


def test_large_request_travels_by_reference() -> None:
    """An envelope with a reference in place of its command is read and written as then."""
    then = read("by-reference")
    envelope = Envelope.model_validate(then)

    assert envelope.command is None
    assert envelope.command_blob is not None
    assert then == json.loads(envelope.model_dump_json(exclude_unset=True))


def test_events_are_read_and_written_as_then() -> None:
    """Every type of event has a golden one, and today's model takes it as it is."""
    events = read("events")

    assert [str(event) for event in EventType] == [event["type"] for event in events]
    assert events == [json.loads(JobEvent.model_validate(event).model_dump_json()) for event in events]
    assert JobEvent.model_validate(events[0]) == JobEvent.model_validate({**events[0], **STRANGER})
