"""Bytes over HTTP: whole, in a range, not at all; and signed links."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.links import sign_link, verify_link
from gateway.problems import Problem
from gateway.ranges import Span, blob_response, etag_of, range_of
from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError
from shared.local_storage import LocalStorage

DATA = bytes(range(256))


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """A local store."""
    return LocalStorage(tmp_path)


def fetch(storage: LocalStorage, blob: Blob, method: str = "GET", **headers: str) -> tuple[Response, bytes]:
    """The response and its body."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def call() -> tuple[Response, bytes]:
        request = Request({"type": "http", "method": method, "path": "/x", "query_string": b"", "headers": raw})
        response = await blob_response(request, storage, blob, filename="hls/video.mp4")
        if isinstance(response, StreamingResponse):
            return response, b"".join([bytes(piece) async for piece in response.body_iterator if not isinstance(piece, str)])
        return response, bytes(response.body)

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None), ("bytes=0-", Span(0, 10)), ("bytes=0-0", Span(0, 1)), ("bytes=3-5", Span(3, 6)), ("bytes=3-99", Span(3, 10)),
        ("bytes=-3", Span(7, 10)), ("bytes=-99", Span(0, 10)), ("bytes=9-9", Span(9, 10)),
        ("bytes=5-3", None), ("bytes=-", None), ("bytes=a-b", None), ("items=0-1", None), ("bytes=0-1,3-4", None), ("bytes=1", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)  # fmt: skip
def test_ranges(header: str | None, expected: Span | None) -> None:
    """One satisfiable range is cut out; what is malformed or several is ignored."""
    assert expected == range_of(header, 10)


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_unsatisfiable_ranges(header: str, size: int) -> None:
    """416 with the size, so that the client can ask again."""
    with pytest.raises(Problem) as caught:
        range_of(header, size)

    assert caught.value.headers["Content-Range"] == f"bytes */{size}"


@given(st.text("bytes=0123456789-, \n", max_size=30), st.integers(0, 50))
def test_no_range_header_breaks_it(header: str, size: int) -> None:
    """Whatever a client writes, it gets a part, the whole or a problem."""
    try:
        span = range_of(header, size)
    except Problem:
        return

    assert span is None or 0 <= span.start < span.end <= size


def test_the_whole_a_part_and_the_head(storage: LocalStorage) -> None:
    """200 with everything, 206 with the part, HEAD with the headers only."""
    blob = storage.put("a", DATA, "video/mp4")

    whole, body = fetch(storage, blob)
    assert (whole.status_code, body, whole.headers["content-type"]) == (200, DATA, "video/mp4")
    assert whole.headers["etag"] == f'"{blob.sha256}"'
    assert whole.headers["content-disposition"] == 'inline; filename="video.mp4"'
    part, body = fetch(storage, blob, range="bytes=10-19")
    assert (part.status_code, body) == (206, DATA[10:20])
    assert (part.headers["content-range"], part.headers["content-length"]) == ("bytes 10-19/256", "10")
    head, body = fetch(storage, blob, method="HEAD", range="bytes=10-19")
    assert (head.status_code, body, head.headers["content-length"]) == (200, b"", "256")


def test_validators(storage: LocalStorage) -> None:
    """If-None-Match gives 304; If-Range with another validator gives the whole."""
    blob = storage.put("a", DATA, "video/mp4")
    etag = etag_of(blob)

    for header in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        assert fetch(storage, blob, if_none_match=header)[0].status_code == 304
    assert fetch(storage, blob, if_none_match='"x"')[0].status_code == 200
    assert fetch(storage, blob, range="bytes=0-0", if_range=etag)[0].status_code == 206
    assert fetch(storage, blob, range="bytes=0-0", if_range='"x"')[0].status_code == 200
    assert fetch(storage, blob, range="bytes=0-0", if_range="Sun, 06 Nov 1994 08:49:37 GMT")[0].status_code == 200


@pytest.mark.parametrize(("media_type", "sandboxed"), [("text/html; charset=utf-8", True), ("image/svg+xml", True), ("video/mp4", False)])
def test_active_content_is_sandboxed(storage: LocalStorage, media_type: str, sandboxed: bool) -> None:
    """HTML and SVG from strangers may not act on the gateway's origin."""
    response, _ = fetch(storage, storage.put("a", DATA, media_type))

    assert sandboxed == response.headers.get("content-security-policy", "").startswith("sandbox")


def test_hostile_names_stay_in_their_header(storage: LocalStorage) -> None:
    """A media type or file name with line breaks or quotes cannot write a header."""
    blob = storage.put("a", b"", "text/html\r\nX-Evil: 1")

    async def call() -> Response:
        request = Request({"type": "http", "method": "GET", "path": "/x", "query_string": b"", "headers": []})
        return await blob_response(request, storage, blob, filename='é"\r\nX-Evil: 1', disposition="attachment")

    headers = asyncio.run(call()).headers

    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9%22%0D%0AX-Evil%3A%201"


def test_gone_bytes_are_an_error_before_the_answer(storage: LocalStorage) -> None:
    """No 200 goes out for what is not there; where bytes are missing at the end, the stream breaks."""
    blob = storage.put("a", DATA, "video/mp4")
    storage.put("a", DATA[:9], "video/mp4")

    with pytest.raises(Exception, match="9 bytes where 256"):
        fetch(storage, blob)
    storage.delete("a")
    with pytest.raises(BlobNotFoundError):
        fetch(storage, blob)


def query(link: str, **changes: str) -> dict[str, Any]:
    """A link's query as a server reads it."""
    return {**dict(parse_qsl(link)), **changes}


def test_a_signed_link_opens_one_artifact_for_a_time() -> None:
    """It holds for its job, name and time, and for nothing else."""
    link = sign_link(b"secret", "job_1", "a/b.mp4", 1_000)

    verify_link(b"secret", "job_1", "a/b.mp4", query(link), now=999.0)
    refused: list[tuple[bytes, str, str, dict[str, Any], float]] = [
        (b"secret", "job_1", "a/b.mp4", query(link), 1_001.0),
        (b"other", "job_1", "a/b.mp4", query(link), 999.0),
        (b"secret", "job_2", "a/b.mp4", query(link), 999.0),
        (b"secret", "job_1", "a/c.mp4", query(link), 999.0),
        (b"secret", "job_1", "a/b.mp4", query(link, expires="2000"), 999.0),
        (b"secret", "job_1", "a/b.mp4", query(link, signature="☃"), 999.0),
        (b"secret", "job_1", "a/b.mp4", {}, 999.0),
    ]
    for secret, job, name, given_query, now in refused:
        with pytest.raises(Problem) as caught:
            verify_link(secret, job, name, given_query, now=now)
        assert caught.value.status == 403
