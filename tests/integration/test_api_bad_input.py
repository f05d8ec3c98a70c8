"""Bad input on every route of the OpenAPI document: a clear refusal, never a 500, always a problem."""

import json
import re
import socket
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app import make_app
from gateway.settings import GatewaySettings
from tests.gateways import Gateway, problem
from tests.integration.api_desk import BODIES, ApiDesk, Tenant

MEMBERS = {"type", "title", "status", "detail", "instance", "trace_id"}
JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


@cache
def routes() -> list[tuple[str, str]]:
    """Every method and path of the document."""
    paths = make_app(GatewaySettings(home=Path("home"))).openapi()["paths"]
    return sorted((method.upper(), path) for path, item in paths.items() for method in item)


def submits() -> list[str]:
    """Where JSON bodies go."""
    return [*(f"/v1/{route}" for route in BODIES), "/v1/keys", "/v1/dead-letters/redrive"]


def fine(answer: httpx.Response) -> None:
    """Not our fault, and a whole problem where it is a refusal; 503 would be the ledger's, which is up."""
    context = f"{answer.request.method} {answer.request.url} {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, context
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json", context
        body = answer.json()
        assert set(body) >= MEMBERS, context
        assert (answer.status_code, answer.headers["x-trace-id"]) == (body["status"], body["trace_id"]), context
        assert body["title"], context
        assert body["detail"], context
        assert body["type"].startswith("https://counterfoil.dev/problems/"), context
        if body["type"].endswith("/invalid-request"):
            assert body["errors"], context
            assert all(re.fullmatch(r"(/([^~/]|~[01])*)*", error["pointer"]) and error["message"] for error in body["errors"]), context


ODD_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["", "0", "-1", "null", "../..", "..%2f", "%00", "\x00", "a" * 3_000, "1e999", "9" * 40, "\u202e", "💥", "avatar_",
     "avatar_01HZZZZZZZZZZZZZZZZZZZZZZZ"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | ODD_TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3), max_leaves=8)
KNOWN = [
    "prompt", "seed", "photo", "style", "variants", "size", "format", "options", "from", "subject", "html", "text", "recipients", "headers",
    "attachments", "source", "preset", "presets", "clip", "request", "service", "filter", "dry_run", "max_per_second", "name", "scopes",
    "limits", "tenant", "priority", "run_at", "expires_at", "unique_key", "labels", "webhook", "max_attempts", "random_seed", "background",
]  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(KNOWN), VALUES, max_size=5)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Idempotency-Key", "traceparent", "tracestate", "baggage", "Prefer", "Last-Event-ID", "Range", "If-Range", "If-None-Match",
         "Accept", "Content-Type", "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum",
         "X-HTTP-Method-Override", "Host", "Cookie", "Expect"]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40).map(str.strip)
    | st.sampled_from(["1.0.0", "application/json", "bytes=0-", "wait=0", "PATCH", "0", "9" * 30, "sha1 x", "[", "a" * 4_000]),
    max_size=4,
)  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(["service", "state", "label", "cursor", "limit", "after", "reason", "kind", "x"]), ODD_TEXT, max_size=3
)
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize(("method", "path"), routes())
def test_no_input_is_our_fault(mine: Tenant, method: str, path: str) -> None:
    """Random path parts, queries, headers and bodies: every route answers below 500, with a whole problem where it refuses."""

    @FUZZ
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        filled = re.sub(r"{\w+}", lambda _: quote(data.draw(ODD_TEXT), safe=data.draw(st.sampled_from(["", "/"]))) or "x", path)
        headers = data.draw(HEADERS)
        body = data.draw(OBJECTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60) | st.just(b""))
        content_type = data.draw(
            st.sampled_from(["application/json", "application/offset+octet-stream", "text/plain", "application/x+json"])
        )
        raw = {name.encode(): value.encode("latin-1") for name, value in {"Content-Type": content_type, **headers}.items()}
        if headers.get("Expect", "").lower() == "100-continue" or "event-stream" in headers.get("Accept", ""):
            return
        request = mine.client.build_request(method, filled, params=data.draw(QUERIES), content=body, headers=list(raw.items()))
        fine(mine.client.send(request))

    ask()


@pytest.mark.parametrize("path", submits())
def test_any_object_is_answered(mine: Tenant, path: str) -> None:
    """Well-formed JSON of known members with wrong values: 2xx, or a problem with pointers."""

    @FUZZ
    @given(body=OBJECTS | VALUES)
    def ask(body: Any) -> None:
        fine(mine.client.post(path, content=json.dumps(body), headers=JSON))

    ask()


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT"]
)  # fmt: skip
def test_every_method_on_every_path(mine: Tenant, method: str) -> None:
    """A method that a path has not is a 405 that names those it has."""
    here = {path for _, path in routes()}
    for path in here:
        filled = path.replace("{job_id}", "avatar_x").replace("{name}", "n").replace("{entry_id}", "avatar_x")
        answer = mine.client.request(method, re.sub(r"{\w+}", "x", filled))
        fine(answer)
        if (method, path) not in routes() and answer.status_code == 405:
            assert {m for m, p in routes() if p == path} <= set(answer.headers["allow"].split(", ")), path


NO_REQUESTS = [
    b"", b" ", b"null", b"[]", b'""', b"1", b"true", b"{", b'{"seed": "a"', b"{'seed': 'a'}", b'{"seed": "a",}', b'{"seed": "a"} x',
    b'{"seed": NaN}', b'{"seed": "a", "size": Infinity}', b'{"clip": {"start": 1e999}}', b'{"vars": {"a": -1E+400}}',
    b'{"seed": "a", "random_seed": 1e400}', b'{"seed": "a", "size": ' + b"9" * 5_000 + b"}", b'{"seed": "\\ud800"}', b'{"\\udfff": 1}',
    b'{"seed": "\xff\xfe"}', b"\xef\xbb\xbf{}", '{"seed": "ü"}'.encode("utf-16"), b"[" * 100_000, b'{"a":' * 50_000,
    b'{"seed": "a\x00b"}', b'{"seed": "a\nb"}', b"\x00", b'{"' + b"k" * 100_000 + b'": 1}',
]  # fmt: skip


@pytest.mark.parametrize("path", submits())
@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("body", NO_REQUESTS, ids=lambda body: repr(body[:24]))
def test_what_is_no_such_request_is_refused(mine: Tenant, path: str, body: bytes, *, keyed: bool) -> None:
    """422 with a pointer, with and without an idempotency key."""
    answer = mine.client.post(path, content=body, headers={**JSON, **({"Idempotency-Key": "k"} if keyed else {})})
    fine(answer)
    found = problem(answer, "invalid-request")

    assert found["errors"]
    assert len(found["detail"]) < 1_000


def test_duplicate_members_take_the_last(mine: Tenant) -> None:
    """As JavaScript and Python do; whatever is kept is what is shown."""
    answer = mine.client.post("/v1/avatars", content=b'{"seed": "a", "seed": "b"}', headers=JSON)

    assert (202, {"seed": "b"}) == (answer.status_code, answer.json()["request"])


@pytest.mark.parametrize(
    ("route", "change", "where"),
    [
        ("mailings", {"rate_per_second": float("inf")}, ""),
        ("mailings", {"recipients": [{"email": "a@b.c", "vars": {"n": 1.0}}, {"email": "x"}]}, "/recipients/1/email"),
        ("mailings", {"recipients": []}, "/recipients"),
        ("mailings", {"recipients": "people.csv"}, "/recipients"),
        ("mailings", {"headers": {"Subject": "x"}}, "/headers"),
        ("mailings", {"headers": {"X-A": "x\r\nBcc: eve@example.com"}}, "/headers/X-A"),
        ("mailings", {"subject": "a\nb"}, "/subject"),
        ("mailings", {"text": None}, ""),
        ("transcodes", {"source": "http://example.com/x"}, "/source"),
        ("transcodes", {"source": "file:///etc/passwd"}, "/source"),
        ("transcodes", {"clip": {"start": -1}}, "/clip/start"),
        ("transcodes", {"preset": "hls", "presets": ["hls"]}, ""),
        ("avatars", {"prompt": "both"}, ""),
        ("avatars", {"variants": 17}, "/variants"),
        ("avatars", {"a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_the_guilty_member_is_pointed_at(mine: Tenant, route: str, change: dict[str, Any], where: str) -> None:
    """RFC 6901 pointers into what was sent; "" where the whole contradicts itself."""
    answer = mine.client.post(f"/v1/{route}", content=json.dumps(BODIES[route] | change), headers=JSON)

    assert where in [error["pointer"] for error in problem(answer, "invalid-request")["errors"]]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", "application/jsonx"]
)
def test_another_media_type_is_415(mine: Tenant, content_type: str) -> None:
    """Whatever the body."""
    for path in submits():
        problem(mine.client.post(path, content=b"{}", headers={"Content-Type": content_type}), "unsupported-media")


def test_a_large_body_is_413(mine: Tenant) -> None:
    """Over 8 MiB: by its declared length without reading it, or while it is read."""
    for path in submits():
        problem(mine.client.post(path, content=b" " * (8 * MIB + 1), headers=JSON), "payload-too-large")
        problem(mine.client.post(path, content=(b" " * MIB for _ in range(9)), headers=JSON), "payload-too-large")


ABSURD = {
    "a foreign host": b"Host: [\r\n",
    "an empty host": b"Host:\r\n",
    "a host with a path": b"Host: evil.example/../x?y#z\r\n",
    "a long host": b"Host: " + b"h" * 30_000 + b"\r\n",
    "a binary traceparent": b"Host: x\r\nTraceparent: \xff\xfe\r\n",
    "a forged traceparent": b"Host: x\r\nTraceparent: 00-00000000000000000000000000000000-0000000000000000-01\r\n",
    "many headers": b"Host: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(500)),
    "two keys": b"Host: x\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n",
    "a method override": b"Host: x\r\nX-HTTP-Method-Override: DELETE\r\n",
}


def _raw(gateway: Gateway, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30)) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_headers(desk: ApiDesk, name: str) -> None:
    """Answered like any other request without a good key, and none of it comes back as a header."""
    for path in (b"/v1/jobs", b"/nowhere"):
        answer = _raw(desk.gateway, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + ABSURD[name] + b"\r\n")

        assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404")), answer[:200]
        assert b"content-type: application/problem+json" in answer
        assert b"\r\nlocation:" not in answer.lower()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/jobs/a\x00b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"BREW /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX: a\rb\r\nConnection: close\r\n\r\n",
        b"POST /v1/avatars HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\nConnection: close\r\n\r\n",
        b"POST /v1/avatars HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=lambda request: repr(request[:30]),
)
def test_what_is_no_http_is_400(desk: ApiDesk, request_: bytes) -> None:
    """Refused before it is a request, by the server, which lives on."""
    answer = _raw(desk.gateway, request_)

    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert b" 500 " not in answer
    with desk.gateway.client("") as client:
        assert 200 == client.get("/livez").status_code


def test_nothing_is_injected_by_crlf(mine: Tenant) -> None:
    """Line ends in names and values come back as what they are, never as a header of the answer."""
    job = mine.submit(labels={"x": "a\r\nX-Evil: 1"})
    answers = [
        mine.client.get(f"/v1/jobs/{job['id']}%0d%0aX-Evil:%201"),
        mine.client.get(f"/v1/jobs/{job['id']}/artifacts/a%0d%0aX-Evil:%201"),
        mine.client.get("/v1/jobs?service=a%0d%0aX-Evil:%201"),
        mine.client.get(f"/v1/jobs/{job['id']}"),
    ]

    for answer in answers:
        fine(answer)
        assert "x-evil" not in answer.headers
    assert {"x": "a\r\nX-Evil: 1"} == answers[-1].json()["labels"]
