"""Subcommands for operators: services, dead-letters, keys."""

import argparse
from typing import TYPE_CHECKING

from client.cli.options import body_of
from client.cli.session import OK, Session
from client.errors import ClientError

if TYPE_CHECKING:
    from client.cli.session import SubParsers


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    text = "list the services: queues, what runs, workers"
    services_parser = commands.add_parser("services", help=text, description=f"{text.capitalize()}.", parents=[shared])
    services_parser.set_defaults(run=services)
    _dead_letters(commands, shared)
    _keys(commands, shared)


def _dead_letters(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "dead-letters", aliases=["dlq"], help="list, show, redrive and delete what failed for good", parents=[shared]
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list them, newest first", parents=[shared])
    listing.add_argument("--service")
    listing.add_argument("--reason", help="such as exhausted, worker_lost, malformed")
    listing.add_argument("--kind")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=list_dead_letters)
    showing = actions.add_parser("show", help="one with its message, error and attempts", parents=[shared])
    showing.add_argument("id")
    showing.set_defaults(run=show_dead_letter)
    redriving = actions.add_parser("redrive", help="try one again, or all of a service", parents=[shared])
    redriving.add_argument("id", nargs="?")
    redriving.add_argument("--request", metavar="JSON", help="a mended payload: a JSON object or a file with one")
    redriving.add_argument("--all", dest="service", metavar="SERVICE", help="everything of this service")
    redriving.add_argument("--reason", help="with --all: only these")
    redriving.add_argument("--kind", help="with --all: only these")
    redriving.add_argument("--dry-run", action="store_true", help="with --all: only count")
    redriving.add_argument("--max-per-second", type=float, metavar="N", help="with --all: no faster than this")
    redriving.set_defaults(run=redrive)
    deleting = actions.add_parser("delete", help="discard them", parents=[shared])
    deleting.add_argument("ids", nargs="+", metavar="ID")
    deleting.set_defaults(run=delete_dead_letters)


def _keys(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("keys", help="create, list and revoke API keys", parents=[shared])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    creating = actions.add_parser("create", help="make a key and print it, once", parents=[shared])
    creating.add_argument("name", help="what it is for")
    creating.add_argument("--scope", action="append", choices=("submit", "read", "operate"), help="default: submit and read")
    creating.add_argument("--tenant", help="default: that of the key in use")
    creating.add_argument("--requests-per-minute", type=int, metavar="N", help="default: no limit")
    creating.add_argument("--live-jobs", type=int, metavar="N", help="jobs that are not done; default: no limit")
    creating.add_argument("--running-jobs", type=int, metavar="N", help="jobs that run at once, in each service; default: no limit")
    creating.set_defaults(run=create_key)
    actions.add_parser("list", help="list the keys, without their secrets", parents=[shared]).set_defaults(run=list_keys)
    revoking = actions.add_parser("revoke", help="make a key invalid at once", parents=[shared])
    revoking.add_argument("id")
    revoking.set_defaults(run=revoke_key)


def services(session: Session) -> int:
    """`counterfoil services`."""
    found = session.client.services()
    if session.as_json:
        session.show_json(found)
        return OK
    rows = (
        (
            service.name,
            sum(queue.depth for queue in service.queues),
            f"{max((queue.oldest_age for queue in service.queues), default=0):.0f} s",
            service.running,
            service.retrying,
            service.dead_letters,
            ", ".join(f"{worker.name} ({worker.busy}/{worker.slots})" for worker in service.workers) or "none",
        )
        for service in found
    )
    session.table(("service", "queued", "oldest", "running", "retrying", "dead letters", "workers (busy/slots)"), rows)
    return OK


def list_dead_letters(session: Session) -> int:
    """`counterfoil dead-letters list`."""
    args = session.args
    entries = list(session.client.dead_letters.list(service=args.service, reason=args.reason, kind=args.kind, limit=args.limit))
    if session.as_json:
        session.show_json(entries)
        return OK
    rows = ((entry.id, entry.service, entry.kind, entry.reason, entry.at) for entry in entries)
    session.table(("id", "service", "kind", "reason", "at"), rows)
    if not entries:
        session.hint("No dead letters.")
    return OK


def show_dead_letter(session: Session) -> int:
    """`counterfoil dead-letters show`: always JSON, for the message is."""
    session.show_json(session.client.dead_letters.show(session.args.id))
    return OK


def redrive(session: Session) -> int:
    """`counterfoil dead-letters redrive`."""
    args, letters = session.args, session.client.dead_letters
    if bool(args.id) == bool(args.service):
        raise ClientError("Give either the id of a dead letter or --all SERVICE.")
    if args.service:
        where = {name: value for name, value in (("reason", args.reason), ("kind", args.kind)) if value}
        session.show_json(letters.redrive_all(args.service, where=where, dry_run=args.dry_run, max_per_second=args.max_per_second))
        return OK
    request = body_of([args.request])[0] if args.request else None
    answer = letters.redrive(args.id, request=request)
    if session.as_json:
        session.show_json(answer)
    else:
        session.say(f"{answer.get('id', args.id)}  {answer.get('state', 'redriven')}")
    return OK


def delete_dead_letters(session: Session) -> int:
    """`counterfoil dead-letters delete`."""
    for entry in session.args.ids:
        session.client.dead_letters.delete(entry)
        session.say(f"{entry}  deleted")
    return OK


def create_key(session: Session) -> int:
    """`counterfoil keys create`: the secret goes to stdout, everything else to stderr."""
    args = session.args
    limits = {name: getattr(args, name) for name in ("requests_per_minute", "live_jobs", "running_jobs") if getattr(args, name) is not None}
    key = session.client.keys.create(args.name, scopes=args.scope or ["submit", "read"], tenant=args.tenant, limits=limits)
    if session.as_json:
        session.show_json(key)
        return OK
    session.say(key.key or "")
    session.hint(f"{key.id}: keep the key above, it is not shown again. Scopes: {', '.join(key.scopes)}.")
    return OK


def list_keys(session: Session) -> int:
    """`counterfoil keys list`."""
    keys = list(session.client.keys.list())
    if session.as_json:
        session.show_json(keys)
        return OK
    rows = ((key.id, key.name, key.tenant, ",".join(key.scopes), key.created_at, key.last_used_on) for key in keys)
    session.table(("id", "name", "tenant", "scopes", "created", "last used"), rows)
    return OK


def revoke_key(session: Session) -> int:
    """`counterfoil keys revoke`."""
    session.client.keys.revoke(session.args.id)
    session.say(f"{session.args.id}  revoked")
    return OK
