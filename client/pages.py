"""Lists that come in pages: `{items, next_cursor}`."""

from collections.abc import Iterator, Mapping
from typing import Any

from client.transport import Transport

Query = Mapping[str, str | int | None]


def items(transport: Transport, path: str, query: Query | None = None, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """All items of a list, page after page as they are consumed; at most `limit`."""
    asked = {name: str(value) for name, value in (query or {}).items() if value is not None}
    if limit is not None:
        asked["limit"] = str(max(1, min(limit, 100)))
    given = 0
    while True:
        page = transport.request("GET", path, params=asked).json()
        for item in listed(page):
            if limit is not None and given >= limit:
                return
            given += 1
            yield item
        cursor = page.get("next_cursor") if isinstance(page, dict) else None
        if not cursor or (limit is not None and given >= limit):
            return
        asked["cursor"] = cursor


def listed(page: Any) -> list[dict[str, Any]]:
    """The items of a page, or of an answer that is the list itself."""
    return list(page["items"] if isinstance(page, dict) else page)
