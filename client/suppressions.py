"""Whom a tenant's mailings leave out."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from client.models import SuppressedAddress
from client.pages import items
from client.transport import Transport

AT_ONCE = 1_000
"""Addresses in one request."""


class Suppressions:
    """`/v1/suppressions`: addresses that are not mailed, because they bounced, complained, unsubscribed or were put there."""

    def __init__(self, transport: Transport) -> None:
        """Made by `Counterfoil`."""
        self._transport = transport

    def add(self, addresses: Sequence[str], *, reason: str = "manual", note: str = "") -> int:
        """Put them on the list; how many are new there."""
        added = 0
        for first in range(0, len(addresses), AT_ONCE):
            body: dict[str, Any] = {"addresses": list(addresses[first : first + AT_ONCE]), "reason": reason, "note": note}
            added += self._transport.request("POST", "/v1/suppressions", json=body).json()["added"]
        return added

    def list(self, *, reason: str | None = None, limit: int | None = None) -> Iterator[SuppressedAddress]:
        """The list in alphabetical order, fetched as it is consumed."""
        found = items(self._transport, "/v1/suppressions", {"reason": reason}, limit=limit)
        return (SuppressedAddress.model_validate(item) for item in found)

    def show(self, address: str) -> SuppressedAddress:
        """One entry. Raises `NotFoundError` where the address may be mailed."""
        return SuppressedAddress.model_validate(self._transport.request("GET", f"/v1/suppressions/{quote(address, safe='')}").json())

    def remove(self, address: str) -> None:
        """Mail the address again. Needs the scope `operate`."""
        self._transport.request("DELETE", f"/v1/suppressions/{quote(address, safe='')}")
