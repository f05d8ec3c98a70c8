"""`counterfoil doctor`: what is wrong with an installation, and what to do, a sentence each."""

import argparse
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from client.cli.session import OK, UNSUCCESSFUL, Session
from client.errors import ApiError, ClientError, UnreachableError
from client.models import Service, WebhookStanding, Worker

if TYPE_CHECKING:
    from client.cli.session import SubParsers

STALE = timedelta(seconds=30)
"""A worker tells of itself every few seconds: after this it is taken for gone."""
REMEDIES = {
    "storage": "See COUNTERFOIL_STORAGE_URL, and that the worker may write there.",
    "smtp": "See MAILER_SMTP_URL, and that the relay runs and lets this machine in.",
}
"""What to do about a check that found something and does not say so itself."""
STUCK = 300.0
"""Seconds that a job may wait in a queue before somebody should look."""


STUCK_WEBHOOK = 3_600.0
"""Seconds that a webhook may be tried: by then four attempts have failed."""


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("doctor", help="check the installation and say what to do", parents=[shared])
    parser.description = "Check gateway, ledger, broker, workers, queues and dead letters. Exits 1 where something is wrong."
    parser.set_defaults(run=doctor)


def doctor(session: Session) -> int:
    """Print a line for each thing looked at; 1 where one of them needs somebody."""
    try:
        found = list(_gateway(session))
        services = session.client.services()
    except UnreachableError as error:
        return _report(session, [str(error)], [])
    except ApiError as error:
        return _report(session, [*found, f"The gateway refuses this API key or call: {error}"], [])
    found += findings(services, datetime.now(UTC))
    return _report(session, found, services)


def findings(services: Iterable[Service], now: datetime) -> Iterator[str]:
    """What is wrong with the services at the time `now`."""
    none = True
    for service in services:
        none = False
        if not service.available:
            yield f"{service.name}: its ledger does not answer ({service.detail}); see to its Redis."
            continue
        live = [worker for worker in service.workers if not _stale(worker, now)]
        yield from (f"{service.name}: {sentence}" for sentence in (*_workers(service, live), *_queues(service, live), *_rest(service)))
    if none:
        yield "The gateway knows no service; is this a whole installation?"


def _workers(service: Service, live: list[Worker]) -> Iterator[str]:
    for worker in service.workers:
        if worker not in live:
            yield f"worker {worker.name} on {worker.host} was last heard of at {worker.heartbeat_at}; restart it."
        elif worker.deaf:
            said = ", ".join(worker.deaf_queues)
            yield f"worker {worker.name} on {worker.host} is up, has a slot free and takes nothing from {said}; restart it."
    if not live:
        yield "no worker is running, so its jobs wait; start one (`make up`, or scale the service up)."


def _queues(service: Service, live: list[Worker]) -> Iterator[str]:
    heard = {queue for worker in live for queue in worker.queues}
    for queue in service.queues:
        if heard and queue.name not in heard and queue.need is None:
            yield f"no worker listens on the queue {queue.name}; start one with --queues {queue.name}."
        elif queue.name not in heard and queue.need is not None and queue.depth:
            told = f"{queue.depth} in {queue.name} need {queue.need}, and no worker serves it"
            yield f"{told}; start one with --need {queue.need} on a machine that has it."
        elif queue.oldest_age > STUCK:
            yield f"a job has waited {queue.oldest_age:.0f} s in {queue.name} ({queue.depth} wait); add workers."


def _rest(service: Service) -> Iterator[str]:
    refused = ((service.model_extra or {}).get("catalogue") or {}).get("refused")
    if refused:  # a missing or outdated binary, in the service's own words
        yield str(refused)
    for check in service.checks:
        if not check.ok:
            looked = f" (looked at {check.at:%Y-%m-%d %H:%M} UTC)" if check.at else ""
            yield f"{check.name}: {check.detail}{looked}. {REMEDIES.get(check.name, '')}".rstrip()
    yield from _webhooks(service.webhooks)
    if service.dead_letters:
        yield f"{service.dead_letters} dead letters; see `counterfoil dead-letters list --service {service.name}`."


def _webhooks(hooks: WebhookStanding) -> Iterator[str]:
    if hooks.pending and (hooks.deliverer_age is None or hooks.deliverer_age > STALE.total_seconds()):
        yield f"{hooks.pending} webhooks wait and nobody delivers them; start `python -m shared.webhooks` (`make up` does)."
    elif hooks.pending and hooks.oldest_age > STUCK_WEBHOOK:
        tried = f"a webhook has been tried for {hooks.oldest_age / 3600:.1f} h"
        yield f"{tried} ({hooks.pending} pending, {hooks.receivers_failing} receivers fail); see `counterfoil webhooks list`."


def facts(services: Iterable[Service]) -> Iterator[str]:
    """What is not wrong, and yet worth knowing: how well users' files are shut in."""
    for service in services:
        match ((service.model_extra or {}).get("catalogue") or {}).get("sandbox"):
            case {"level": level, **more}:  # a worker of an older release says it in other words
                missing = f": {more['missing']}" if more.get("missing") else ""
                yield f"{service.name}: programs that read users' files run in the sandbox {level!r}{missing}."


def _gateway(session: Session) -> Iterator[str]:
    try:
        session.client.readiness()
    except UnreachableError:
        raise
    except ClientError as error:
        yield f"The gateway is not ready: {error}"


def _stale(worker: Worker, now: datetime) -> bool:
    return worker.heartbeat_at is not None and now - worker.heartbeat_at > STALE


def _report(session: Session, found: list[str], services: list[Service]) -> int:
    if session.as_json:
        session.show_json({"ok": not found, "findings": found})
        return UNSUCCESSFUL if found else OK
    for sentence in found:
        session.say(f"✗ {sentence}")
    for sentence in facts(services):
        session.say(f"· {sentence}")
    if not found:
        workers = sum(len(service.workers) for service in services)
        session.say(f"✓ Gateway, ledger and broker answer; {len(services)} services, {workers} workers, no dead letters, nothing stuck.")
    return UNSUCCESSFUL if found else OK
