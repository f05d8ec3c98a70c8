"""What keeps a list item from being a broker message, and how much of it its dead letter keeps."""

import base64
import json
from typing import Any

import pytest

from shared.bus import message
from shared.runtime.intake import SHOWN, legible, why_malformed

GOOD: dict[str, Any] = json.loads(message("{}", kind="avatar.generate.v1", job_id="avatar_1", queue="avatar"))


def test_our_own_message_is_well_formed() -> None:
    """Nothing is wrong with what the bus makes."""
    assert why_malformed(GOOD) == ""


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (None, "properties.delivery_tag is missing"),
        ([], "properties.delivery_tag is missing"),
        ("text", "properties.delivery_tag is missing"),
        (17, "properties.delivery_tag is missing"),
        ({}, "properties.delivery_tag is missing"),
        ({**GOOD, "properties": None}, "properties.delivery_tag is missing"),
        ({**GOOD, "properties": {}}, "properties.delivery_tag is missing"),
        ({**GOOD, "headers": None}, "headers or body is missing"),
        ({**GOOD, "headers": []}, "headers or body is missing"),
        ({**GOOD, "body": None}, "headers or body is missing"),
        ({**GOOD, "body": {"a": 1}}, "headers or body is missing"),
        ({**GOOD, "body": "A"}, "its body is not base64"),
        ({**GOOD, "body": "häß"}, "its body is not base64"),
    ],
)
def test_malformed_item_is_told(item: Any, told: str) -> None:
    """Each part that kombu would stumble over is named."""
    assert told in why_malformed(item)


def test_body_in_another_encoding_is_celerys_to_judge() -> None:
    """A message of another client, whose body is not encoded at all, is a broker message."""
    properties = {name: value for name, value in GOOD["properties"].items() if name != "body_encoding"}

    assert why_malformed({**GOOD, "body": "{}", "properties": properties}) == ""


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        (b"\xff\x00ok", "\\xff\x00ok"),
        (base64.b64encode(b"x" * 10), "eHh4eHh4eHh4eA=="),
        ("x" * (SHOWN + 1), "x" * SHOWN),
        (b"x" * (SHOWN + 1), "x" * SHOWN),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
    ids=["not text", "text", "long text", "long bytes", "JSON", "nothing"],
)
def test_dead_letter_keeps_a_legible_part(part: Any, kept: Any) -> None:
    """Any bytes become something JSON can hold, of bounded length."""
    assert kept == legible(part)
    json.dumps(legible(part))
