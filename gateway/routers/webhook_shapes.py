"""How webhooks' deliveries and secrets look on the wire, for OpenAPI."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.events import EventType


class DeliveryAttemptShape(BaseModel):
    """One attempt: the HTTP `status`, or why there is none. `lost`: the process that made it died, and nobody knows how it ended."""

    number: int
    at: datetime
    outcome: Literal["delivered", "failed", "lost"]
    status: int | None
    reason: str | None
    seconds: float | None


class DeliveryShape(BaseModel):
    """One event on its way to one receiver. `id` is the event's, and the `webhook-id` of every attempt.

    `reason` of a failed one: `exhausted`, it was tried for a day; `gone`, the receiver answered 410.
    """

    id: str
    job: str
    service: str
    type: EventType
    url: str
    state: Literal["pending", "delivered", "failed"]
    reason: Literal["exhausted", "gone"] | None
    created_at: datetime
    ended_at: datetime | None
    next_attempt_at: datetime | None
    last_attempt: DeliveryAttemptShape | None
    links: dict[str, str]


class WholeDeliveryShape(DeliveryShape):
    """A delivery with its attempts, oldest first, the last thirty."""

    attempts: list[DeliveryAttemptShape]


class DeliveryPage(BaseModel):
    """Some deliveries, newest first."""

    items: list[DeliveryShape]
    next_cursor: str | None


class WebhooksShape(BaseModel):
    """How a service's webhooks fare. Ages in seconds; `deliverer_age`: since one last looked, null where none ever did.

    `delivered` and `failed` count since the ledger began.
    """

    pending: int
    under_way: int
    oldest_age: float
    receivers_failing: int
    delivered: int
    failed: int
    deliverer_age: float | None


class NewSecret(BaseModel):
    """A secret that takes over: what signed before signs on, beside it, for `others_expire_in` seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"others_expire_in": 3600}]})

    others_expire_in: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


class SecretShape(BaseModel):
    """A secret as it is listed, without itself."""

    id: str
    created_at: datetime
    expires_at: datetime | None


class MadeSecret(SecretShape):
    """The new secret, which is shown this once: `whsec_` and base64, as Standard Webhooks' libraries take it."""

    secret: str


class SecretList(BaseModel):
    """The valid secrets, the newest first."""

    items: list[SecretShape]
