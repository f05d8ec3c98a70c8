"""The AsyncAPI 3.1 document of the house (https://www.asyncapi.com/docs/reference/specification/v3.1.0), made from the models."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from deploy.contracts.release import ROOT
from shared.bus import headers, need_of, priority_of, queues_of
from shared.contracts.base import Command
from shared.contracts.envelope import Envelope
from shared.contracts.events import EventType, JobEvent
from shared.contracts.registry import Contract

FILE = ROOT / "docs" / "asyncapi.json"
JOB = "01JD0000000000000000000000"
DESCRIPTION = """Commands that Counterfoil's gateway sends to its services, and the events of the jobs they become.

A command's message is a doorbell: what the ledger says of the job with this `id` decides, so a message may be lost, repeated or late
and nothing but latency changes (docs/adr/0001). On the wire it is a Celery task message, protocol 2. See docs/contracts.md."""
Json = dict[str, Any]


def document(contracts: Mapping[str, Contract], version: str) -> Json:
    """The whole document, as JSON values."""
    commands = [command for contract in contracts.values() for command in contract.commands]
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Counterfoil", "version": version, "description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {name: body for contract in contracts.values() for name, body in _channels(contract).items()} | _event_channel(),
        "operations": {name: body for contract in contracts.values() for name, body in _operations(contract).items()}
        | {
            "tellOfJobs": {
                "action": "send",
                "channel": _ref("channels", "jobEvents"),
                "summary": "Tell of everything that happens to a job.",
            }
        },
        "components": {
            "schemas": _schemas(commands),
            "messages": {command.kind: _message(command) for command in commands} | {str(event): _event(event) for event in EventType},
        },
    }


def _ref(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}


def _schema(model: type) -> Json:
    return _ref("components", "schemas", model.__name__)


def _servers() -> Json:
    """Where each kind of server is by default; an installation has its own (COUNTERFOIL_BROKER_URL and others)."""
    return {
        "redis": {"host": "localhost:6379", "protocol": "redis", "description": "The broker: a list for each queue."},
        "rabbitmq": {"host": "localhost:5672", "protocol": "amqp", "description": "The broker: a quorum queue for each queue."},
        "gateway": {"host": "localhost:8000", "protocol": "http", "description": "Job events, as server-sent events or as a list."},
    }


def _channel(queue: str, contract: Contract, description: str) -> Json:
    amqp = {"is": "queue", "queue": {"name": queue, "durable": True, "exclusive": False, "autoDelete": False}, "bindingVersion": "0.3.0"}
    return {
        "address": queue,
        "description": description,
        "servers": [_ref("servers", "redis"), _ref("servers", "rabbitmq")],
        "messages": {command.kind: _ref("components", "messages", command.kind) for command in contract.commands},
        "bindings": {"amqp": amqp},
    }


def _channels(contract: Contract) -> Json:
    queues = {name: _channel(name, contract, f"{contract.title}: {_jobs_of(name, contract)}") for name in queues_of(contract)}
    letters = (
        f"Dead letters of {contract.name}: messages that no contract accepts, and jobs that failed for good, in the ledger "
        "(GET /v1/dead-letters). On RabbitMQ also a queue, for what the broker itself gave up on; it is drained into the ledger."
    )
    return {**queues, f"{contract.name}.dlq": _channel(f"{contract.name}.dlq", contract, letters)}


def _jobs_of(queue: str, contract: Contract) -> str:
    need = need_of(queue, contract)
    whose = f" for machines that have what they need: {need}" if need else ""
    return f"jobs of {priority_of(queue)} priority{whose}, most urgent queue first."


def _event_channel() -> Json:
    return {
        "jobEvents": {
            "address": "/v1/jobs/{job}/events",
            "description": "Numbered without a gap, replayable after any number, the terminal event last.",
            "servers": [_ref("servers", "gateway")],
            "parameters": {"job": {"description": "The job's id, as the ticket has it."}},
            "messages": {str(event): _ref("components", "messages", str(event)) for event in EventType},
        }
    }


def _operations(contract: Contract) -> Json:
    return {
        f"{verb}.{queue}": {
            "action": "send" if verb == "submit" else "receive",
            "channel": _ref("channels", queue),
            "summary": f"The gateway rings for {contract.name}." if verb == "submit" else f"A worker of {contract.name} claims the job.",
        }
        for queue in queues_of(contract)
        for verb in ("submit", "handle")
    }


def _schemas(commands: list[type[Command]]) -> Json:
    models: list[type[BaseModel]] = [*commands, *dict.fromkeys(command.result for command in commands), Envelope, JobEvent]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    return dict(sorted({**definitions["$defs"], "CloudEvent": _cloud_event()}.items()))


def _message(command: type[Command]) -> Json:
    """A Celery task message: `[[envelope], {}, {…}]`, with the kind as the task's name and the job's id as the task's."""
    envelope = {"allOf": [_schema(Envelope), {"properties": {"kind": {"const": command.kind}, "command": _command(command)}}]}
    arguments = {"type": "array", "minItems": 1, "maxItems": 1, "items": [envelope]}
    payload = {"type": "array", "minItems": 3, "maxItems": 3, "items": [arguments, {"type": "object"}, {"type": "object"}]}
    message: Json = {
        "name": command.kind,
        "title": command.__name__,
        "summary": (command.__doc__ or "").strip().partition("\n")[0],
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/id"},
        "headers": {
            "type": "object",
            "required": ["task", "id"],
            "properties": {"task": {"const": command.kind}, "id": {"type": "string", "pattern": f"^{command.service()}_"}},
        },
        "payload": payload,
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": command.kind, "bindingVersion": "0.3.0"}},
        "x-route": f"/v1/{command.route}" if command.route else None,
        "x-result": _schema(command.result),
    }
    if command.examples:
        message["examples"] = [_example(command, number, dict(example)) for number, example in enumerate(command.examples, 1)]
    return message


def _command(command: type[Command]) -> Json:
    by_reference = {"type": "null", "description": "the request is over 64 kB and lies at command_blob"}
    return {"anyOf": [_schema(command), by_reference]}


def _example(command: type[Command], number: int, request: Json) -> Json:
    job = f"{command.service()}_{JOB}"
    envelope = {"id": job, "kind": command.kind, "epoch": 1, "tenant": "default", "trace": {}, "command": request}
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return {"name": f"example-{number}", "headers": headers(command.kind, job), "payload": [[envelope], {}, embedded]}


def _event(event: EventType) -> Json:
    return {
        "name": str(event),
        "title": str(event).removeprefix("job.").capitalize(),
        "contentType": "application/cloudevents+json",
        "payload": {"allOf": [_ref("components", "schemas", "CloudEvent"), {"properties": {"type": {"const": str(event)}}}]},
    }


def _cloud_event() -> Json:
    """CloudEvents 1.0 (https://github.com/cloudevents/spec) with its sequence and tracing extensions, as the gateway tells it."""
    text = {"type": "string"}
    job = {"job": text, "service": text, "kind": text}
    required = {
        "specversion": {"const": "1.0"},
        "id": {**text, "description": "the job's id, a colon, the event's number"},
        "source": {**text, "format": "uri-reference"},
        "type": _schema(EventType),
        "subject": {**text, "description": "the job's id"},
        "time": {**text, "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": {**text, "pattern": "^[0-9]{10}$"},
        "seq": {"type": "integer", "minimum": 1},
        "data": {"type": "object", "required": list(job), "properties": job, "description": "and what is particular to the event"},
    }
    return {"type": "object", "required": list(required), "properties": {**required, "traceparent": text}}
