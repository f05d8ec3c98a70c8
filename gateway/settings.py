"""The gateway's settings: `COUNTERFOIL_*`, and where each service's ledger is."""

from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import PlatformSettings, ServiceSettings

GIB = 1 << 30
MIB = 1 << 20
DEFAULT_REDIS = "redis://127.0.0.1:6379/0"


class _OwnUrls(BaseSettings):
    """One service's own variables, such as AVATAR_REDIS_URL; empty where it has none."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    redis_url: str = ""
    broker_url: str = ""
    storage_url: str = ""


class GatewaySettings(PlatformSettings):
    """What `counterfoil up` and the gateway's container read. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="COUNTERFOIL_", env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """The port to listen on."""
    max_body_bytes: int = Field(default=8 * MIB, ge=1)
    """The largest JSON body; larger things are uploads."""
    max_upload_bytes: int = Field(default=20 * GIB, ge=1)
    """The largest upload."""
    upload_expiry: float = Field(default=86_400.0, gt=0)
    """How long an unfinished upload lives after its last byte came."""
    upload_keep: float = Field(default=30 * 86_400.0, ge=0)
    """How long a finished upload is kept that no job names; while one does, it stays."""
    link_lifetime: int = Field(default=3_600, ge=1)
    """How long a signed artifact link is good for."""
    max_queued: int = Field(default=1_000_000, ge=1)
    """Jobs that a service may have waiting; more are refused with 503, because a queue without end is a promise without end."""
    access_log: bool = False
    """One `request_served` line per request, at info level."""
    start_patience: float = Field(default=30.0, ge=0)
    """How long the gateway waits at its start for a ledger that does not answer yet (a server that loads its AOF)."""

    @model_validator(mode="after")
    def _home_is_absolute(self) -> Self:
        if not self.home.is_absolute():
            object.__setattr__(self, "home", Path(self.home).absolute())
        return self

    @property
    def platform(self) -> ServiceSettings:
        """The gateway's own ledger (keys, limits), broker and storage, with no URL empty."""
        return self.service("counterfoil")

    def service(self, name: str) -> ServiceSettings:
        """Where the service called `name` has its ledger, broker and storage, resolved as the service itself does it."""
        return _resolved(name, self)


@lru_cache(maxsize=256)
def _resolved(name: str, platform: GatewaySettings) -> ServiceSettings:
    prefix = f"{name.upper()}_"
    own = _OwnUrls(_env_prefix=prefix) if name != "counterfoil" else _OwnUrls.model_construct()
    redis = own.redis_url or platform.redis_url or DEFAULT_REDIS
    return ServiceSettings(
        _env_prefix=prefix,
        home=platform.home,
        redis_url=redis,
        broker_url=own.broker_url or platform.broker_url or redis,
        storage_url=own.storage_url or platform.storage_url or f"file://{platform.home}/storage",
    )
