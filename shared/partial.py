"""A download's file, and how much of it is there: a connection that broke is gone on from (RFC 9110 §13.1.5, §14).

Only where the server has said by what the content is known (a strong ETag, else its date of change): `If-Range` makes it send the whole
anew where the content has changed since, so that no file is ever pieced together from two.
"""

import http.client
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path


@dataclass(slots=True)
class Partial:
    """The bytes of `target` that are there. `total` is the whole's size, where the server says; sizes in bytes."""

    target: Path
    done: int = 0
    total: int | None = None
    validator: str | None = None

    @property
    def resumable(self) -> bool:
        """Whether asking for the rest makes sense."""
        return self.done > 0 and self.validator is not None

    def headers(self) -> dict[str, str]:
        """What to ask with."""
        return {"Range": f"bytes={self.done}-", "If-Range": self.validator or ""} if self.resumable else {}

    def take(self, response: http.client.HTTPResponse) -> bool:
        """Note what an answer of 200 or 206 brings; false where a 206 is not the part that was asked for."""
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if not self.resumable or found is None or (int(found[1]), int(found[2])) != (self.done, self.total or int(found[2])):
                self.forget()
                return False
            self.total = int(found[2])
            return True
        self.done, self.total, self.validator = 0, response.length, _validator(response)
        return True

    def forget(self) -> None:
        """Start over at the next try."""
        self.done, self.total, self.validator = 0, None, None


def _validator(response: http.client.HTTPResponse) -> str | None:
    tag = response.headers.get("ETag", "").strip()
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")
