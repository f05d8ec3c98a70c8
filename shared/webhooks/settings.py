"""The settings of the process that delivers webhooks."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import PlatformSettings


class WebhookSettings(PlatformSettings):
    """What `python -m shared.webhooks` reads. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="COUNTERFOIL_", env_ignore_empty=True, extra="ignore", frozen=True)

    webhook_concurrency: int = Field(default=32, ge=1, le=1_000)
    """Webhooks under way at once, of each service."""
    webhook_per_receiver: int = Field(default=4, ge=1)
    """Of these, to one receiver (a tenant's host and port); one that fails gets one at a time."""
    webhook_per_tenant: int = Field(default=24, ge=1)
    """Of these, for one tenant: the rest is kept for others, however many silent receivers one may have."""
    webhook_timeout: float = Field(default=20.0, gt=0, le=300)
    """How long an attempt may take, from its name's addresses to the answer's status."""
