"""The mailer's settings (`MAILER_*`): which relay, how many connections, how patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingsError
from shared.mailboxes import BadAddressError, normalise
from shared.settings import PlatformSettings, ServiceSettings

LONGEST_BOUNCE_NAME = 11
"""Characters: with a plus sign and a token of 52 it may have 64 (RFC 5321, 4.5.3.1.1)."""
SUBMISSION_PORTS = {"smtp": 25, "smtps": 465}


class CatcherSettings(BaseSettings):
    """Where the embedded home's mail catcher listens; it is the relay when no other is set."""

    model_config = SettingsConfigDict(env_prefix="COUNTERFOIL_CATCHER_", env_ignore_empty=True, extra="ignore", frozen=True)

    smtp_port: int = 1025


@dataclass(frozen=True, slots=True)
class Relay:
    """The SMTP server to hand mail to. `implicit_tls`: TLS from the first byte (RFC 8314); otherwise STARTTLS where offered."""

    host: str
    port: int
    implicit_tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> "Relay":
        """Read `smtp://user:pass@host:port` or `smtps://…`. Raises `SettingsError` where it is neither."""
        parts = urlsplit(url)
        if parts.scheme not in SUBMISSION_PORTS or not parts.hostname:
            raise SettingsError("MAILER_SMTP_URL must read smtp://[user:password@]host[:port] or smtps://….")
        return cls(
            host=parts.hostname,
            port=parts.port or SUBMISSION_PORTS[parts.scheme],
            implicit_tls=parts.scheme == "smtps",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )


class MailerSettings(ServiceSettings):
    """What only the mailer needs. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="MAILER_", env_ignore_empty=True, extra="ignore", frozen=True)

    smtp_url: str = Field(default="", repr=False)
    """Empty: the embedded mail catcher. Several, parted by blanks: the first that works. Not shown by repr, for it may hold a password."""
    smtp_token_file: Path | None = None
    """A file with an access token: log in with XOAUTH2, not with a password. Read at each login, so keep it fresh."""
    smtp_verify: bool = True
    """Check the relay's certificate. False only for a relay of one's own with a self-signed one."""
    smtp_helo: str = ""
    """The name to greet with; empty: this host's."""
    connections: int = Field(default=4, ge=1, le=64)
    """Connections a batch opens; times `concurrency` is what the relay sees of one worker."""
    messages_per_connection: int = Field(default=1_000, ge=1)
    """After so many a connection is closed and a new one opened."""
    idle_close: float = 30.0
    """Seconds that a connection is kept for a next batch."""
    connect_timeout: float = 10.0
    """For a connection to the relay."""
    reply_timeout: float = 60.0
    """For the relay's answer to a command."""
    accept_timeout: float = 300.0
    """For the answer to a body: giving up here leaves it unknown whether the mail was taken (RFC 5321, 4.5.3.2.6 says 10 min)."""
    defer_delays: tuple[float, ...] = (1.0, 10.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0)
    """After each 4xx a recipient is tried again this much later; the last one repeats. No worker waits for more than a moment."""
    defer_for: float = 72 * 3_600.0
    """For so long after the first 4xx; then the recipient has failed."""
    bounce_address: str = ""
    """`bounces@bounce.example.com`: the envelope's sender becomes `bounces+…@bounce.example.com`, another one for each mail, and bounces
    come back there; the part before the @ has 11 characters at most. Empty: it is the From address, and bounces are its owner's."""
    bounce_maildir: Path | None = None
    """The Maildir where bounces arrive, looked at every minute; the same one for all workers. Empty: nobody looks."""
    lmtp_host: str = "127.0.0.1"
    """`python -m services.mailer.lmtp` listens there,"""
    lmtp_port: int = Field(default=2_424, ge=0, le=65_535)
    """at this port, and puts what it takes into `MAILER_BOUNCE_MAILDIR`."""
    dkim_keys: str = ""
    """`domain:selector:/path/to/key.pem`, RSA-2048 or Ed25519, several parted by blanks; empty: mails are not signed (the relay may do it).
    A mail is signed with all keys of its From domain, or of the nearest domain above it that has any."""
    server_rate: float | None = Field(default=None, gt=0)
    """Mails a second that all workers together hand to one mail server. None: as fast as it takes them."""
    tenant_rate: float | None = Field(default=None, gt=0)
    """Mails a second of one tenant, all of their mailings together."""
    site_rates: str = ""
    """Mails a second to the mailboxes of a domain: `gmail.com,googlemail.com=20 *=5`. Domains with commas between are one site; `*` is
    every other domain, each for itself."""
    preflight_dns: bool = True
    """Look up SPF, DKIM and DMARC of a mailing's From domain before the first mail."""
    max_attachment_bytes: int = 15_000_000
    """All attachments of a mail together."""

    @field_validator("bounce_address")
    @classmethod
    def _can_carry_a_token(cls, address: str) -> str:
        try:
            normal = normalise(address) if address else ""
        except BadAddressError as error:
            raise SettingsError(f"MAILER_BOUNCE_ADDRESS cannot be used: {error}.") from error
        if len(normal.partition("@")[0]) > LONGEST_BOUNCE_NAME or "+" in normal or not normal.isascii():
            raise SettingsError(
                f"MAILER_BOUNCE_ADDRESS needs a name of at most {LONGEST_BOUNCE_NAME} ASCII characters without + before the @."
            )
        return normal

    @property
    def public_url(self) -> str:
        """Where recipients reach the gateway; empty: nobody said."""
        return PlatformSettings().public_url

    @field_validator("site_rates")
    @classmethod
    def _readable(cls, value: str) -> str:
        _sites(value)
        return value

    @property
    def sites(self) -> Mapping[str, tuple[str, float]]:
        """`site_rates` by domain: the site's name and its rate. Raises `SettingsError` where it makes no sense."""
        return _sites(self.site_rates)

    @property
    def relay(self) -> Relay:
        """The relay to use before all others."""
        return self.relays[0]

    @property
    def relays(self) -> tuple[Relay, ...]:
        """The relays, in the order in which to try them. Raises `SettingsError` where one is none."""
        urls = self.smtp_url.split() or [f"smtp://127.0.0.1:{CatcherSettings().smtp_port}"]
        return tuple(map(Relay.parse, urls))


@cache
def _sites(text: str) -> Mapping[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for word in text.split():
        domains, _, rate = word.partition("=")
        names = [name.strip().lower() for name in domains.split(",")]
        try:
            per_second = float(rate)
        except ValueError:
            per_second = 0.0
        if not all(names) or not 0 < per_second < float("inf"):
            raise SettingsError(f"MAILER_SITE_RATES reads domain[,domain…]=mails a second, parted by blanks; {word!r} does not.")
        twice = [name for name in names if name in found]
        if twice:
            raise SettingsError(f"MAILER_SITE_RATES gives {twice[0]} two rates.")
        found.update(dict.fromkeys(names, (names[0], per_second)))
    return found


@cache
def settings() -> MailerSettings:
    """The settings, read from the environment once."""
    return MailerSettings()
