"""A remote's `Retry-After` is read where it can be, and never breaks the reader."""

import http.client
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import urlsplit

import httpx
import pytest

from client.transport import retry_after
from shared.errors import TransientError
from shared.fetch import FetchRules, _accept
from shared.partial import Partial

WISHES = [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("²", None), ("1²", None), ("9" * 400, float("inf"))]


@pytest.mark.parametrize(("wish", "seconds"), WISHES)
def test_client_reads_seconds(wish: str, seconds: float | None) -> None:
    """A superscript two is a digit to Python and a number to nobody; Latin-1, which headers are in, has it."""
    response = httpx.Response(429, headers=[(b"retry-after", wish.encode("latin-1"))])

    assert seconds == retry_after(response)


def test_client_reads_a_date_gone_by_as_now() -> None:
    """A date is the other form of RFC 9110."""
    assert retry_after(httpx.Response(503, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"})) == 0.0


@pytest.mark.parametrize(("wish", "seconds"), WISHES)
def test_fetch_reads_seconds(wish: str, seconds: float | None) -> None:
    """Whatever a hostile server writes there, the refusal is the one for its status."""
    headers = Message()
    headers["Retry-After"] = wish
    response = cast("http.client.HTTPResponse", SimpleNamespace(status=429, headers=headers))

    with pytest.raises(TransientError, match="answered 429") as refused:
        _accept(response, urlsplit("https://media.example.com/talk.mov"), FetchRules(max_bytes=1), Partial(Path("talk")))

    assert seconds == refused.value.retry_after
