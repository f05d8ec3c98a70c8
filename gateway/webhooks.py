"""Webhooks as the gateway takes and shows them; `python -m shared.webhooks` delivers them."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any, cast

import redis.asyncio

from gateway.keys import Principal
from gateway.ledgers import Desk, Ledgers
from gateway.problems import Problem, invalid
from shared.addresses import Networks, is_public, networks, within
from shared.cloud_events import moment
from shared.contracts.options import WebhookOptions
from shared.ledger import deliveries, ids
from shared.ledger.deliveries import Delivery
from shared.settings import PlatformSettings
from shared.webhooks import secrets
from shared.webhooks.secrets import Secret

Json = dict[str, Any]
WHERE = "/options/webhook/url"


def refuse_unreachable(asked: WebhookOptions) -> None:
    """Raise Problem 422 for what no attempt could ever deliver. Where a name leads is looked at with each attempt, not here."""
    url, allowed = asked.url, _allowed()
    if asked.events == []:
        raise invalid("name the events to be told of, or leave the list out to be told how the job ends", "/options/webhook/events")
    if url.username or url.password:
        raise invalid("a receiver's URL has no user name or password: deliveries are signed", WHERE)
    if not url.port:
        raise invalid("port 0 is nobody's", WHERE)
    if url.scheme != "https" and not allowed:
        raise invalid("a receiver's URL begins with https:// (http:// only in networks that COUNTERFOIL_WEBHOOK_NETWORKS names)", WHERE)
    host = (url.host or "").strip("[]")
    if _is_address(host) and not within(host, allowed) and (url.scheme != "https" or not is_public(host)):
        raise invalid(f"{host} is not a public address, nor in a network that COUNTERFOIL_WEBHOOK_NETWORKS names", WHERE)


@cache
def _allowed() -> Networks:
    return networks(PlatformSettings().webhook_networks)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of deliveries is to hold."""

    services: tuple[str, ...]
    state: str = ""
    job: str = ""


async def page(ledgers: Ledgers, who: Principal, wanted: Wanted, *, cursor: str, limit: int) -> tuple[list[Delivery], str | None]:
    """A page of a tenant's deliveries, newest first, and the cursor of the next: time and id of the last one shown."""
    ms, _, last = cursor.partition("-")
    below = (int(ms), last) if last else None
    found: list[Delivery] = []
    for name in wanted.services:
        found += await ledgers.desks[name].ledger.run(
            deliveries.page(who.tenant, state=wanted.state, job=wanted.job, below=below, most=limit + 1)
        )
    found.sort(key=lambda each: (each.made, each.id), reverse=True)
    shown = found[:limit]
    return shown, f"{shown[-1].made}-{shown[-1].id}" if len(found) > limit else None


async def find(ledgers: Ledgers, delivery_id: str, who: Principal) -> tuple[Desk, Delivery]:
    """The delivery, if it is this tenant's. Raises Problem 404."""
    desk = ledgers.desks.get(ids.service_of(delivery_id))
    found = await desk.ledger.run(deliveries.read(delivery_id, who.tenant)) if desk else None
    if desk is None or found is None:
        raise missing(delivery_id)
    return desk, found


def missing(delivery_id: str) -> Problem:
    """No such delivery, or another tenant's."""
    return Problem("not-found", f"there is no delivery {delivery_id[:80]}")


def view(delivery: Delivery, *, whole: bool = False) -> Json:
    """How a delivery looks on the wire; the `whole` one has all its attempts."""
    here, job = f"/v1/webhooks/deliveries/{delivery.id}", deliveries.job_of(delivery.id)
    attempts = [_attempt(each) for each in delivery.log]
    shown = {
        "id": delivery.id,
        "job": job,
        "service": ids.service_of(job),
        "type": delivery.type,
        "url": delivery.url,
        "state": delivery.state,
        "reason": delivery.reason or None,
        "created_at": moment(delivery.made),
        "ended_at": moment(delivery.ended),
        "next_attempt_at": moment(delivery.next) if delivery.state == "pending" else None,
        "last_attempt": attempts[-1] if attempts else None,
        "links": {"self": here, "job": f"/v1/jobs/{job}", "resend": f"{here}/resend"},
    }
    return {**shown, "attempts": attempts} if whole else shown


def _attempt(kept: Mapping[str, Any]) -> Json:
    return {
        "number": int(kept["number"]),
        "at": moment(int(kept["at"])),
        "outcome": kept["outcome"],
        "status": kept.get("status"),
        "reason": kept.get("reason"),
        "seconds": kept.get("seconds"),
    }


async def make_secret(client: redis.asyncio.Redis, tenant: str, *, overlap: int) -> Secret:
    """A new secret; what there is signs on for `overlap` seconds. Raises Problem 409 where there are too many."""
    arguments = secrets.make_arguments(overlap=overlap)
    values = await cast("Awaitable[list[bytes]]", client.eval(secrets.MAKE, 1, secrets.key_of(tenant), *arguments))
    made = [secret for secret in secrets.read(values) if secret.id == arguments[0]]
    if not made:
        raise Problem("conflict", f"{secrets.MOST} secrets are valid; delete one, or wait until one is over")
    return made[0]


async def secrets_of(client: redis.asyncio.Redis, tenant: str) -> list[Secret]:
    """The valid secrets, the newest first."""
    return secrets.read(await cast("Awaitable[list[bytes]]", client.hvals(secrets.key_of(tenant))))


async def drop_secret(client: redis.asyncio.Redis, tenant: str, secret_id: str) -> bool:
    """Sign with it no more; False where there is none such."""
    return bool(await client.hdel(secrets.key_of(tenant), secret_id))


def secret_view(secret: Secret) -> Json:
    """A secret as it is listed: all but itself."""
    times = {"created_at": moment(secret.created * 1000), "expires_at": None if secret.expires is None else moment(secret.expires * 1000)}
    return {"id": secret.id, **times}
