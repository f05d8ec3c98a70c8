"""What became of webhooks, and the secrets that they are signed with."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from client.models import Model
from client.pages import items
from client.transport import Transport


class DeliveryAttempt(Model):
    """One attempt to deliver a webhook: the HTTP `status`, or the `reason` why there is none."""

    number: int
    at: datetime | None = None
    outcome: str = ""
    status: int | None = None
    reason: str | None = None
    seconds: float | None = None


class WebhookDelivery(Model):
    """One event on its way to one receiver; `attempts` only where a single one was asked for."""

    id: str
    job: str = ""
    type: str = ""
    url: str = ""
    state: str = ""
    reason: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_attempt: DeliveryAttempt | None = None
    attempts: Sequence[DeliveryAttempt] = ()


class WebhookSecret(Model):
    """A signing secret; `secret` itself is shown only in the answer to its creation."""

    id: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    secret: str | None = None


class Webhooks:
    """`/v1/webhooks`: deliveries of the tenant's jobs, and its signing secrets."""

    def __init__(self, transport: Transport) -> None:
        """Made by `Counterfoil`."""
        self._transport = transport

    def deliveries(
        self, *, job: str | None = None, state: str | None = None, service: str | None = None, limit: int | None = None
    ) -> Iterator[WebhookDelivery]:
        """Deliveries, newest first, fetched as they are consumed. `state`: pending, delivered or failed."""
        wanted = {"job": job, "state": state, "service": service}
        return (WebhookDelivery.model_validate(item) for item in items(self._transport, "/v1/webhooks/deliveries", wanted, limit=limit))

    def show(self, delivery: str) -> WebhookDelivery:
        """One delivery with its attempts."""
        return WebhookDelivery.model_validate(self._transport.request("GET", f"/v1/webhooks/deliveries/{delivery}").json())

    def resend(self, delivery: str) -> WebhookDelivery:
        """Send it again, now, whatever became of it."""
        return WebhookDelivery.model_validate(self._transport.request("POST", f"/v1/webhooks/deliveries/{delivery}/resend").json())

    def secrets(self) -> Iterator[WebhookSecret]:
        """The valid secrets, the newest first, without themselves. Needs the scope `operate`, as all of what follows."""
        found = self._transport.request("GET", "/v1/webhooks/secrets").json()["items"]
        return (WebhookSecret.model_validate(item) for item in found)

    def make_secret(self, *, others_expire_in: int = 86_400) -> WebhookSecret:
        """A new secret, shown this once; what signed before signs on beside it for so many seconds."""
        body = {"others_expire_in": others_expire_in}
        return WebhookSecret.model_validate(self._transport.request("POST", "/v1/webhooks/secrets", json=body).json())

    def drop_secret(self, secret: str) -> None:
        """Sign with it no more."""
        self._transport.request("DELETE", f"/v1/webhooks/secrets/{secret}")
