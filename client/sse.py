"""Server-sent events (WHATWG HTML, section 9.2.6) off a stream of lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One dispatched event; `id` is the last one seen, as the standard says."""

    event: str
    data: str
    id: str


def frames(lines: Iterable[str]) -> Iterator[Frame]:
    """Events from lines without their ends. Comments (pings) are skipped; a frame cut off by the end is dropped."""
    event, last_id = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Frame(event, "\n".join(data), last_id)
            event, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last_id = value
