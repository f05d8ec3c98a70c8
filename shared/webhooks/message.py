"""What a receiver is told: the event as event streams have it, with a link to its job, and never 20 kB long. Pure."""

import json
from typing import Any

from shared.cloud_events import cloud_event
from shared.contracts.events import EventType
from shared.ledger.deliveries import Taken

MOST = 20_000
"""Bytes of a body, at most: the size below which Standard Webhooks wants payloads to stay."""
MEDIA_TYPE = "application/cloudevents+json"
ALWAYS = frozenset({"job", "service", "kind", "links", "left_out"})


def body(delivery: Taken, public_url: str = "") -> bytes:
    """The CloudEvent in structured mode. What is too large is null, named in `data.left_out`, and found at `data.links.self`."""
    event = delivery.event
    told = cloud_event(delivery.job, delivery.kind, delivery.trace, event)
    data: dict[str, Any] = told["data"]
    data["links"] = {"self": f"{public_url}/v1/jobs/{delivery.job}"}
    if event.type is EventType.SUCCEEDED and data.get("result") is None:  # the ledger keeps it out of the event, being large
        data["left_out"] = ["result"]
    while len(text := _text(told)) >= MOST and (rest := [name for name in data if name not in ALWAYS and data[name] is not None]):
        largest = max(rest, key=lambda name: len(_text(data[name])))
        data[largest] = None
        data["left_out"] = [*data.get("left_out", []), largest]
    return text


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
