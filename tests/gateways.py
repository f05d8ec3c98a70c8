"""A running gateway as the tests see it."""

from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from tests.servers import Server


@dataclass
class Gateway:
    """The server, its home, and clients for it."""

    server: Server
    home: Path

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def key(self) -> str:
        """The key of the first start: all scopes, tenant `default`."""
        return (self.home / "api-key").read_text().strip()

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with `key` (None: the first start's; empty: none)."""
        key = self.key if key is None else key
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=30)

    def raw(self) -> HTTPConnection:
        """A connection that sends paths and headers as they are given."""
        return HTTPConnection("127.0.0.1", self.server.port, timeout=30)

    def make_key(self, tenant: str, *scopes: str) -> str:
        """A new key for `tenant`."""
        with self.client() as client:
            made = client.post("/v1/keys", json={"name": "test", "tenant": tenant, "scopes": scopes})
        assert made.status_code == 201, made.text
        return str(made.json()["key"])


def problem(response: httpx.Response, slug: str) -> dict[str, Any]:
    """The problem in `response`, after a look at what every problem must have."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    assert body["type"] == f"https://counterfoil.dev/problems/{slug}", body
    assert body["status"] == response.status_code
    assert body["trace_id"] == response.headers["x-trace-id"]
    assert unquote(body["instance"]) == response.request.url.path
    assert body["title"]
    assert body["detail"]
    return body
