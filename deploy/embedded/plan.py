"""What runs in the home: settings and contracts in, a list of processes out.

The services come from the contracts, so a new one needs no edit here.
"""

import os
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.embedded import ledger_server, ports
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.spec import Spec, Stage
from shared.contracts.registry import contracts

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
THREAD_CAPS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VIPS_CONCURRENCY")
"""Numeric libraries take all cores each; several pool children at once would then fight over them."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things listen, resolved: no port is 0 and no URL empty, save those of a server that somebody else runs."""

    gateway: str
    ledger: str
    ledger_port: int
    smtp: str
    smtp_port: int
    mail: str
    mail_port: int


def _browsable(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound to
    return f"[{host}]" if ":" in host else host


def resolve(settings: EmbeddedSettings, last_ledger_port: int = 0) -> Places:
    """Fix every port.

    Raises:
        SettingsError: a wanted port is taken.
    """
    port = ports.claim(settings.host, settings.port, what="the gateway", variable="COUNTERFOIL_PORT")
    smtp_port = mail_port = ledger_port = 0
    if not settings.smtp_url:
        smtp_port = ports.claim("127.0.0.1", settings.catcher_smtp_port, what="the mail catcher", variable="COUNTERFOIL_CATCHER_SMTP_PORT")
        mail_port = ports.claim(
            "127.0.0.1", settings.catcher_http_port, what="the mail catcher's pages", variable="COUNTERFOIL_CATCHER_HTTP_PORT"
        )
    ledger = settings.redis_url
    if not ledger:
        kept = last_ledger_port if settings.ledger_port == 0 and last_ledger_port and ports.is_free("127.0.0.1", last_ledger_port) else 0
        ledger_port = kept or ports.claim("127.0.0.1", settings.ledger_port, what="the ledger", variable="COUNTERFOIL_LEDGER_PORT")
        ledger = f"redis://:{ledger_server.password(_ledger_folder(settings))}@127.0.0.1:{ledger_port}/0"
    return Places(
        gateway=f"http://{_browsable(settings.host)}:{port}",
        ledger=ledger,
        ledger_port=ledger_port,
        smtp=settings.smtp_url or f"smtp://127.0.0.1:{smtp_port}",
        smtp_port=smtp_port,
        mail=f"http://127.0.0.1:{mail_port}" if mail_port else "",
        mail_port=mail_port,
    )


def _ledger_folder(settings: EmbeddedSettings) -> Path:
    folder = settings.home / "ledger"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def environment(settings: EmbeddedSettings, places: Places, env: Mapping[str, str]) -> dict[str, str]:
    """What every room is told; whatever the user set for the thread caps stays."""
    threads = str(max(1, (os.cpu_count() or 1) // 4))
    return {
        "COUNTERFOIL_HOME": str(settings.home),
        "COUNTERFOIL_PORT": places.gateway.rpartition(":")[2],
        "COUNTERFOIL_REDIS_URL": places.ledger,
        "MAILER_SMTP_URL": places.smtp,
        **{name: threads for name in THREAD_CAPS if name not in env},
    }


def _answers_http(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except OSError:
        return False


def _answers_redis(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _ledger(settings: EmbeddedSettings, places: Places) -> Iterator[Spec]:
    if not settings.redis_url:
        folder = _ledger_folder(settings)
        server = ledger_server.choose(folder, settings.ledger_server)
        config = ledger_server.write_config(folder, port=places.ledger_port, fsync=settings.ledger_fsync)
        yield Spec("ledger", (server.path, str(config)), stage=Stage.LEDGER, answers=lambda: _answers_redis(places.ledger))


def _gateway(settings: EmbeddedSettings, places: Places, env: Mapping[str, str]) -> Iterator[Spec]:
    port = places.gateway.rpartition(":")[2]
    serve = (
        "-m",
        "uvicorn",
        "--factory",
        "gateway.app:app",
        "--host",
        settings.host,
        "--port",
        port,
        "--no-access-log",
        "--no-server-header",
    )
    # An event stream has no end of its own: it is cut, and its reader resumes after its last event.
    limits = ("--timeout-graceful-shutdown", "5", "--log-level", settings.log_level)
    yield Spec("gateway", (PYTHON, *serve, *limits), env, answers=lambda: _answers_http(f"{places.gateway}/readyz"))


def _catcher(settings: EmbeddedSettings, places: Places, env: Mapping[str, str]) -> Iterator[Spec]:
    if not settings.smtp_url:
        listen = ("--smtp-port", str(places.smtp_port), "--http-port", str(places.mail_port))
        yield Spec("catcher", (PYTHON, "-m", "deploy.catcher", *listen), env)


def _service(name: str, settings: EmbeddedSettings, env: Mapping[str, str]) -> Iterator[Spec]:
    celery = (PYTHON, "-m", "celery", "--quiet", "-A", f"services.{name}.app")
    beat = settings.home / "beat"
    beat.mkdir(exist_ok=True)
    # Gossip and mingling tell workers of each other; here the ledger does. Events (-E) are for Flower.
    alone = ("-E", "--without-gossip", "--without-mingle")
    yield Spec(f"{name}-worker", (*celery, "worker", "-n", f"{name}@%h", *alone, "--loglevel", settings.log_level), env)
    yield Spec(f"{name}-beat", (*celery, "beat", "--schedule", str(beat / name), "--loglevel", settings.log_level), env)


def processes(settings: EmbeddedSettings, places: Places, mark: str, services: Iterable[str] | None = None) -> list[Spec]:
    """Every process of the home, in the order in which they are shown."""
    env = environment(settings, places, os.environ)
    rooms = [spec for name in (contracts() if services is None else services) for spec in _service(name, settings, env)]
    return [
        Spec("guard", (PYTHON, "-m", "deploy.embedded.guard", mark), stage=Stage.GUARD),
        *_ledger(settings, places),
        *_gateway(settings, places, env),
        *rooms,
        *_catcher(settings, places, env),
    ]
