"""What the embedded home reads from the environment. Everything has a default: `make up` needs no configuration."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = int
"""0 stands for any free port; runtime.json says which it became."""


class EmbeddedSettings(BaseSettings):
    """`COUNTERFOIL_*`, and the one variable of the mailer that decides whether a mail catcher is needed."""

    model_config = SettingsConfigDict(env_prefix="COUNTERFOIL_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Path(".counterfoil")
    """The folder of the home: data, logs, the API key, and `runtime.json`, which says what runs where."""
    host: str = "127.0.0.1"
    """The address that the gateway listens on."""
    port: Port = Field(default=8000, ge=0, le=65_535)
    """The gateway's port. Of every port here, 0 means any free one."""
    redis_url: str = ""
    """Set: this is the ledger, and no server is started."""
    smtp_url: str = Field(default="", validation_alias="MAILER_SMTP_URL")
    """Set: this is the relay, and no mail catcher is started."""
    catcher_http_port: Port = Field(default=8025, ge=0, le=65_535)
    """Where the mail catcher shows its mail."""
    catcher_smtp_port: Port = Field(default=1025, ge=0, le=65_535)
    """Where the mail catcher takes mail."""
    ledger_port: Port = Field(default=0, ge=0, le=65_535)
    """0: a free port, kept over restarts as long as nobody else takes it."""
    ledger_fsync: Literal["always", "everysec", "no"] = "always"
    """`always` is what makes a 202 a promise; docs/adr/0001 has the measurement."""
    ledger_server: str = ""
    """Path of a valkey-server or redis-server to use instead of the one that would be found."""
    needs: str = ""
    """What this machine has and few have, comma-separated: with `gpu` the home runs a worker of `avatar.gpu`, too (docs/avatars.md)."""
    log_level: str = "info"
    """debug, info, warning or error."""

    @field_validator("home")
    @classmethod
    def _home_is_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()
