"""Settings that every room has: where the home, the ledger, the broker and the storage are.

A service's own variable (`AVATAR_REDIS_URL`) goes before the platform's (`COUNTERFOIL_REDIS_URL`), which goes before the
embedded default. Each service subclasses `ServiceSettings` with its prefix and adds what only it needs.
"""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.addresses import networks
from shared.errors import SettingsError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class PlatformSettings(BaseSettings):
    """`COUNTERFOIL_*`: what all rooms of one installation share. An empty URL stands for the embedded default."""

    model_config = SettingsConfigDict(env_prefix="COUNTERFOIL_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = Path(".counterfoil")
    """The folder for data, traces, journals, the API key and, where no storage is set, artifacts."""
    redis_url: str = ""
    """The ledger: `redis://` or `rediss://`; empty: the embedded one, else port 6379 here."""
    broker_url: str = ""
    """Redis or RabbitMQ (`amqp://`); empty: the ledger's Redis, and one atomic step for record and message."""
    storage_url: str = ""
    """`file:///folder` or `s3://bucket/prefix`; empty: `storage` in the home."""
    log_level: str = "info"
    """debug, info, warning or error."""
    trace_url: str = ""
    """Where people look at traces, with `{trace_id}` in it; empty: the gateway's own /v1/jobs/{id}/trace."""
    public_url: str = ""
    """Where the world reaches the gateway, such as `https://mail.example.com`: unsubscribe links in mails begin with it."""

    webhook_networks: str = ""
    """Networks besides the public internet in which webhooks' receivers may be, such as `10.1.0.0/16,127.0.0.1/32`; only in these may
    a receiver's URL be `http://`."""

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            networks(text)
        except ValueError as error:
            raise SettingsError(f"COUNTERFOIL_WEBHOOK_NETWORKS must be networks such as 10.1.0.0/16, comma-separated: {error}.") from error
        return text

    @field_validator("public_url")
    @classmethod
    def _may_stand_in_a_mail(cls, url: str) -> str:
        parts = urlsplit(url)
        here = parts.hostname in LOOPBACK
        if url and (
            (parts.scheme != "https" and not (here and parts.scheme == "http")) or not parts.hostname or parts.query or parts.fragment
        ):
            raise SettingsError("COUNTERFOIL_PUBLIC_URL must be an https:// address without ? and # (http:// only for this very machine).")
        return url.rstrip("/")


class ServiceSettings(BaseSettings):
    """One service's settings; subclasses set `env_prefix`. After validation no URL is empty."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    redis_url: str = ""
    """This service's own ledger."""
    broker_url: str = ""
    """This service's own broker."""
    storage_url: str = ""
    """Where this service keeps its artifacts."""
    home: Path = Path()
    """This service's folder for temporary files and journals."""
    concurrency: int = 0
    """Pool children; 0 takes the policy's number."""
    max_running: int = Field(default=0, ge=0)
    """Jobs of this service that may run at once, over all its workers; 0: as many as there are pool children. Parts of a job count, a job
    that waits for its parts does not. Must be the same for all workers of the service."""
    max_running_per_tenant: int = Field(default=0, ge=0)
    """As above, for each tenant; 0: no limit. A key may have a lower one (`running_jobs`)."""
    hold: float = 600.0
    """RabbitMQ: seconds after which a message that waits in a worker goes back to the broker. Must be below its `consumer_timeout`
    (30 minutes by default), which closes the channel of a worker that holds one for longer."""
    metrics_port: int = 0
    """Where the worker serves Prometheus metrics; 0: nowhere."""
    keep_succeeded_days: float = Field(default=7.0, ge=0)
    """How long a done job is kept, with its events, attempts, children and artifacts; then it is gone (docs/ledger.md)."""
    keep_failed_days: float = Field(default=30.0, ge=0)
    """As above, for dead letters, among them messages that became no job."""
    keep_canceled_days: float = Field(default=7.0, ge=0)
    """As above, for what was cancelled or expired."""
    keep_at_most: int = Field(default=1_000_000, ge=0)
    """Done jobs kept per state, however young: about 2 kB of the ledger's memory each."""

    @model_validator(mode="before")
    @classmethod
    def _fall_back_to_the_platform(cls, given: dict[str, object]) -> dict[str, object]:
        platform = PlatformSettings()
        home = Path(str(given.get("home") or platform.home)).absolute()
        redis = given.get("redis_url") or platform.redis_url or "redis://127.0.0.1:6379/0"
        fallbacks = {
            "home": home,
            "redis_url": redis,
            "broker_url": platform.broker_url or redis,
            "storage_url": platform.storage_url or f"file://{home}/storage",
        }
        return {**given, **{name: given.get(name) or fallback for name, fallback in fallbacks.items()}}

    @model_validator(mode="after")
    def _schemes_are_known(self) -> Self:
        known = {
            "redis_url": {"redis", "rediss"},  # what redis-py opens by URL
            "broker_url": {"redis", "rediss", "amqp", "amqps", "sentinel"},
            "storage_url": {"file", "s3"},
        }
        for name, schemes in known.items():
            scheme = urlsplit(str(getattr(self, name))).scheme
            if scheme not in schemes:
                prefix = self.model_config.get("env_prefix", "")
                raise SettingsError(f"{prefix}{name.upper()} has the scheme {scheme!r}; it must be one of {', '.join(sorted(schemes))}.")
        return self

    @property
    def caps(self) -> tuple[int, int]:
        """How many jobs may run at once: in the service, for one tenant in it; 0: any number."""
        return self.max_running, self.max_running_per_tenant

    @property
    def rings_in_ledger(self) -> bool:
        """True where broker and ledger are the same Redis, so that one script can write record and message together."""
        return self.broker_url == self.redis_url
