"""What runs in the home: settings and contracts in, a list of processes out.

The services come from the contracts, so a new one needs no edit here.
"""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import answers, ledger_server, ports
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.spec import Spec, Stage
from shared.contracts.registry import contracts
from shared.errors import SettingsError

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


def _ledger(settings: EmbeddedSettings, places: Places) -> Iterator[Spec]:
    if not settings.redis_url:
        folder = _ledger_folder(settings)
        server = ledger_server.choose(folder, settings.ledger_server)
        config = ledger_server.write_config(folder, port=places.ledger_port, fsync=settings.ledger_fsync)
        yield Spec("ledger", (server.path, str(config)), stage=Stage.LEDGER, answers=lambda: answers.redis(places.ledger))


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
    yield Spec("gateway", (PYTHON, *serve, *limits), env, answers=lambda: answers.http(f"{places.gateway}/readyz"))


def _catcher(settings: EmbeddedSettings, places: Places, env: Mapping[str, str]) -> Iterator[Spec]:
    if not settings.smtp_url:
        listen = ("--smtp-port", str(places.smtp_port), "--http-port", str(places.mail_port))
        yield Spec(
            "catcher", (PYTHON, "-m", "deploy.catcher", *listen), env, answers=lambda: answers.http(places.mail), title="mail catcher"
        )


def _service(name: str, places: Places, env: Mapping[str, str], has: Collection[str]) -> Iterator[Spec]:
    start, app = (PYTHON, "-m", "shared.start"), f"services.{name}.app"
    ledger = os.environ.get(f"{name.upper()}_REDIS_URL") or places.ledger
    yield Spec(f"{name}-worker", (*start, "worker", app), env, answers=answers.worker(ledger, name), title=name)
    known = contracts().get(name)
    for need in (need for need in (known.needs if known else ()) if need in has):
        # What it loads may take a while, and nothing else waits for it: the home is ready without it.
        yield Spec(f"{name}-{need}-worker", (*start, "worker", app, "--need", need, "--pool", "solo"), env, stage=Stage.SCHEDULES)
    yield Spec(f"{name}-beat", (*start, "beat", app), env, stage=Stage.SCHEDULES)


def _webhooks(env: Mapping[str, str]) -> Iterator[Spec]:
    # What it owes, the ledger keeps: the home is ready without it.
    yield Spec("webhooks", (PYTHON, "-m", "shared.webhooks"), env, stage=Stage.SCHEDULES)


def _needs(settings: EmbeddedSettings) -> Collection[str]:
    """What this machine has. Raises SettingsError for what no contract knows."""
    has = {word.strip() for word in settings.needs.split(",") if word.strip()}
    known = {need for contract in contracts().values() for need in contract.needs}
    if strange := sorted(has - known):
        raise SettingsError(f"COUNTERFOIL_NEEDS names {', '.join(strange)}; the services know {', '.join(sorted(known))}.")
    return has


def processes(settings: EmbeddedSettings, places: Places, mark: str, services: Iterable[str] | None = None) -> list[Spec]:
    """Every process of the home, in the order in which they are shown."""
    env, has = environment(settings, places, os.environ), _needs(settings)
    rooms = [spec for name in (contracts() if services is None else services) for spec in _service(name, places, env, has)]
    return [
        Spec("guard", (PYTHON, "-m", "deploy.embedded.guard", mark), stage=Stage.GUARD),
        *_ledger(settings, places),
        *_gateway(settings, places, env),
        *rooms,
        *_webhooks(env),
        *_catcher(settings, places, env),
    ]
