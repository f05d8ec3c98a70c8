"""The operator's side: dead letters and API keys."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from client.models import ApiKey, DeadLetter
from client.pages import items
from client.transport import Transport

LONGEST_REDRIVE = 1_800.0
"""Seconds to wait for the answer to a bulk redrive that was asked to go slowly."""


class DeadLetters:
    """`/v1/dead-letters`: what failed for good, until it is redriven or discarded."""

    def __init__(self, transport: Transport) -> None:
        """Made by `Counterfoil`."""
        self._transport = transport

    def list(
        self, *, service: str | None = None, reason: str | None = None, kind: str | None = None, limit: int | None = None
    ) -> Iterator[DeadLetter]:
        """The entries, newest first, fetched as they are consumed."""
        query = {"service": service, "reason": reason, "kind": kind}
        return (DeadLetter.model_validate(item) for item in items(self._transport, "/v1/dead-letters", query, limit=limit))

    def show(self, entry: str) -> DeadLetter:
        """One entry with the message as received, the last error and the attempts."""
        return DeadLetter.model_validate(self._transport.request("GET", f"/v1/dead-letters/{entry}").json())

    def redrive(self, entry: str, *, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Try again, with `request` in place of the payload where one is given. Returns the gateway's answer: the job."""
        body = {"request": dict(request)} if request is not None else {}
        answer: dict[str, Any] = self._transport.request("POST", f"/v1/dead-letters/{entry}/redrive", json=body).json()
        return answer

    def redrive_all(
        self,
        service: str,
        *,
        where: Mapping[str, str] | None = None,
        dry_run: bool = False,
        max_per_second: float | None = None,
    ) -> dict[str, Any]:
        """Try again everything of a service that `where` (reason, kind) fits; `dry_run` only counts. Returns the counts.

        The gateway takes at most 1,000 at a time, and answers when it is through with them.
        """
        body = {"service": service, "filter": dict(where or {}), "dry_run": dry_run, "max_per_second": max_per_second}
        given = {name: value for name, value in body.items() if value is not None}
        answer: dict[str, Any] = self._transport.request("POST", "/v1/dead-letters/redrive", json=given, timeout=LONGEST_REDRIVE).json()
        return answer

    def delete(self, entry: str) -> None:
        """Discard an entry."""
        self._transport.request("DELETE", f"/v1/dead-letters/{entry}")


class Keys:
    """`/v1/keys`: API keys of the tenant. Needs the scope `operate`."""

    def __init__(self, transport: Transport) -> None:
        """Made by `Counterfoil`."""
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] = ("submit", "read"),
        tenant: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> ApiKey:
        """Make a key; the answer's `key` is the secret, and is never shown again.

        `limits` may have `requests_per_minute`, `live_jobs` and `running_jobs`; without them there is none.
        """
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        body |= {"tenant": tenant} if tenant else {}
        body |= {"limits": dict(limits)} if limits else {}
        return ApiKey.model_validate(self._transport.request("POST", "/v1/keys", json=body).json())

    def list(self) -> Iterator[ApiKey]:
        """All keys, without their secrets."""
        return (ApiKey.model_validate(item) for item in items(self._transport, "/v1/keys"))

    def revoke(self, key_id: str) -> None:
        """Make a key invalid, at once and for good."""
        self._transport.request("DELETE", f"/v1/keys/{key_id}")
